"""Names that no step can have: its module would hide behind what ``nn.Module`` itself, or our source, has there."""

import keyword
from functools import lru_cache

RESERVED_NAMES = frozenset(
    """
    add_module append apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
    extend extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half initialize insert
    ipu load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters pop
    prepare register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty
    train training type xpu zero_grad T_destination

    _apply _backward_hooks _backward_pre_hooks _buffers _call_impl _compiled_call_impl ___needs_generation_tag_patch
    _forward_hooks _forward_hooks_always_called _forward_hooks_with_kwargs _forward_pre_hooks
    _forward_pre_hooks_with_kwargs _get_backward_hooks _get_backward_pre_hooks _get_item_by_idx _get_name
    _is_full_backward_hook _load_from_state_dict _load_state_dict_post_hooks _load_state_dict_pre_hooks
    _maybe_warn_non_full_backward_hook _modules _named_members _non_persistent_buffers_set _parameters
    _register_load_state_dict_pre_hook _register_state_dict_hook _replicate_for_data_parallel _save_to_state_dict
    _slow_forward _state_dict_hooks _state_dict_pre_hooks _version _wrapped_call_impl
    """.split()  # noqa: SIM905
)


@lru_cache(maxsize=4096)
def why_reserved(name: str, keywords: bool = False) -> str | None:
    """Return why no step can have the name; ``None`` where one can: also a keyword of Python, if these are allowed."""
    if keyword.iskeyword(name) and not keywords:
        return f"`{name}` is a Python keyword"
    if name.startswith("__") and name.endswith("__"):
        return f"`{name}` is reserved by Python" if name.strip("_") else "a name needs a letter or a digit"
    return f"every `nn.Module` has an attribute `{name}`" if name in RESERVED_NAMES else None


def free_name(name: str) -> str:
    """Return a name like it that a step can have."""
    free = f"{name.strip('_') or 'step'}" if name.startswith("__") else f"{name}_"
    return free if why_reserved(free) is None else f"{free}_"
