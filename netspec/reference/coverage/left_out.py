"""The callables of torch that no spec can say, and why not."""

from __future__ import annotations

from collections.abc import Mapping

WITHOUT_FORWARD: Mapping[str, str] = {
    "It tells something about a tensor; the values of no output depend on it": """
        Tensor.data_ptr Tensor.const_data_ptr Tensor.dense_dim Tensor.dim Tensor.dim_order Tensor.element_size
        Tensor.get_device Tensor.is_coalesced Tensor.is_complex Tensor.is_conj Tensor.is_contiguous
        Tensor.is_distributed Tensor.is_floating_point Tensor.is_inference Tensor.is_neg Tensor.is_nonzero
        Tensor.is_pinned Tensor.is_same_size Tensor.is_set_to Tensor.is_shared Tensor.is_signed Tensor.ndimension
        Tensor.nelement Tensor.numel Tensor.qscheme Tensor.size Tensor.sparse_dim Tensor.storage
        Tensor.storage_offset Tensor.storage_type Tensor.stride Tensor.untyped_storage Tensor.hash_tensor
        Tensor.allclose Tensor.equal""",
    "It moves, copies or stores a tensor; its values stay": """
        Tensor.as_subclass Tensor.clone Tensor.contiguous Tensor.copy_ Tensor.cpu Tensor.cuda Tensor.ipu Tensor.mtia
        Tensor.xpu Tensor.module_load Tensor.new Tensor.numpy Tensor.pin_memory Tensor.record_stream Tensor.set_
        Tensor.share_memory_ Tensor.tolist Tensor.item Tensor.to_mkldnn Tensor.to_dense Tensor.to_padded_tensor
        Tensor.resolve_conj Tensor.resolve_neg Tensor.as_strided Tensor.resize Tensor.resize_as
        Tensor.as_strided_scatter Tensor.new_empty Tensor.new_empty_strided""",
    "It belongs to autograd": """
        Tensor.backward Tensor.detach Tensor.register_hook Tensor.register_post_accumulate_grad_hook
        Tensor.reinforce Tensor.requires_grad_ Tensor.retain_grad""",
    "It calls a Python function for each element": "Tensor.apply_ Tensor.map_ Tensor.map2_",
    "It is a container or a base class, which a body of steps replaces": """
        nn.Container nn.Module nn.ModuleDict nn.ModuleList nn.ParameterDict nn.ParameterList nn.Sequential nn.RNNBase
        nn.RNNCellBase""",
    "It runs a module on several devices, which is a matter of the run": "nn.DataParallel nn.SyncBatchNorm",
    "It draws random numbers": """
        Tensor.cauchy_ Tensor.exponential_ Tensor.geometric_ Tensor.log_normal_ Tensor.multinomial
        Tensor.random_ nn.FractionalMaxPool2d nn.FractionalMaxPool3d
        F.fractional_max_pool2d F.fractional_max_pool2d_with_indices F.fractional_max_pool3d
        F.fractional_max_pool3d_with_indices""",
    "It works on sparse or quantized tensors, which a spec has none of": """
        Tensor.ccol_indices Tensor.coalesce Tensor.col_indices Tensor.crow_indices Tensor.dequantize Tensor.indices
        Tensor.int_repr Tensor.q_per_channel_axis Tensor.q_per_channel_scales Tensor.q_per_channel_zero_points
        Tensor.q_scale Tensor.q_zero_point Tensor.resize_as_sparse_ Tensor.row_indices Tensor.smm Tensor.sparse_mask
        Tensor.sparse_resize_ Tensor.sparse_resize_and_clear_ Tensor.sspaddmm Tensor.to_sparse Tensor.to_sparse_bsc
        Tensor.to_sparse_bsr Tensor.to_sparse_coo Tensor.to_sparse_csc Tensor.to_sparse_csr Tensor.values
        Tensor.slice_inverse F.scaled_mm F.scaled_grouped_mm""",
    "It works on complex numbers, which a spec has none of": "Tensor.cdouble Tensor.cfloat Tensor.chalf Tensor.imag",
    "torch has removed it: the call only raises an error": """
        Tensor.eig Tensor.lstsq Tensor.solve Tensor.symeig""",
}
"""The callables without a forward pass of their own, or without one that is deterministic, by the reason."""

DETERMINISTIC: Mapping[str, str] = {
    "The shape of its output depends on values; a spec knows every shape beforehand": """
        Tensor.argwhere Tensor.masked_select Tensor.nonzero Tensor.unique Tensor.unique_consecutive""",
    "ONNX has no such decomposition of a matrix, and none can be written with its ops": """
        Tensor.cholesky Tensor.geqrf Tensor.lu Tensor.lu_solve Tensor.matrix_exp Tensor.orgqr Tensor.ormqr Tensor.qr
        Tensor.svd""",
    "No recipe has this loss, nor can it be written in few ops": """
        nn.CTCLoss F.ctc_loss""",
    "It takes as many steps as the numbers ask for": "Tensor.gcd Tensor.lcm",
    "ONNX has no such special function": """
        Tensor.digamma Tensor.erfinv Tensor.i0 Tensor.igamma Tensor.igammac Tensor.lgamma Tensor.mvlgamma
        Tensor.polygamma Tensor.nextafter""",
}
"""The callables that have a deterministic forward pass but are left out, by the reason."""
