"""Names that no step can have: its module would hide behind what ``nn.Module`` itself, or our source, has there."""

TAKEN = frozenset(
    """
    add_module append apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
    extend extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half initialize insert
    ipu load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters pop
    prepare register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty
    train training type xpu zero_grad T_destination
    """.split()  # noqa: SIM905
)
