"""Modules whose tensors stand elsewhere: the level around has them, under keys of its own."""

KEYED = '''class Keyed:
    """Runs a module whose tensors another one has, its owner, under keys of the owner's."""

    def __init__(self, owner, module, keys):
        self.keys = keys
        for name, key in keys.items():
            (path, _, own), (inside, _, tensor) = key.rpartition("."), name.rpartition(".")
            value, holder = getattr(module.get_submodule(inside), tensor), owner.get_submodule(path)
            if isinstance(value, nn.Parameter):
                holder.register_parameter(own, value)
            else:
                holder.register_buffer(own, value)
        self.module = module.to("meta")

    def __call__(self, owner, *inputs, **arguments):
        places = {name: key.rpartition(".") for name, key in self.keys.items()}
        tensors = {name: getattr(owner.get_submodule(path), own) for name, (path, _, own) in places.items()}
        if isinstance(self.module, nn.RNNBase):
            self.module._flat_weights = [tensors[name] for name in self.module._flat_weights_names]
        self.module.train(owner.training)
        return torch.func.functional_call(self.module, tensors, inputs, arguments)'''
"""The class that the source brings along where a step has such a module."""
