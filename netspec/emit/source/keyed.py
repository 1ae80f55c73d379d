"""Modules whose tensors stand elsewhere: the level around has them, under keys of its own or beside its own."""

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

LENT = '''class Lent:
    """Runs a module whose parts another one has, its owner, beside its own."""

    def __init__(self, owner, module):
        for name, child in module.named_children():
            owner.add_module(name, child)
        for name, parameter in module.named_parameters(recurse=False):
            owner.register_parameter(name, parameter)
        for name, buffer in module.named_buffers(recurse=False):
            owner.register_buffer(name, buffer, name not in module._non_persistent_buffers_set)
        self.module = module

    def __call__(self, owner, *inputs):
        for tensors, others in (
            (self.module._parameters, owner._parameters),
            (self.module._buffers, owner._buffers),
            (self.module._modules, owner._modules),
        ):
            tensors.update((name, others[name]) for name in tensors)
        self.module.training = owner.training
        return self.module.forward(*inputs)'''
"""The class that the source brings along where a scan is no level of its own."""
