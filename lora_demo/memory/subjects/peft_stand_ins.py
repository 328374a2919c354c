"""Stand-ins for what PEFT methods read off the base's weights, and for sparse kernels that have no meta form.

    ADAMSS   singular vectors of each weight and a clustering of its rows: vectors of the same shape, clusters of equal
             size (k-means gives unequal ones of the same total)
    FROD     a joint decomposition of all weights of a kind: basis, indices and factors of the same shape
    SHIRA    a random sparse mask: its index list, which the method holds on the device
    random   permutations that choose positions in a weight: in order, on the device where they would be drawn
    sparse   SHIRA adds a sparse matrix to a dense one, FROD densifies one: each allocates and saves what CUDA does
             (aten/src/ATen/native/sparse/cuda/SparseCUDATensorMath.cu: the sum goes through two dense copies in the
             wider dtype; tools/autograd/derivatives.yaml: the constructor's backward gathers from a dense gradient)

ADAMSS's dynamic rank depends on values and is traced at its upper bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.distributions import Distribution


def prepare_config(config: Any) -> None:
    """Switch off what a configuration would derive from values while it is set up."""
    kind = config.peft_type.value
    if kind == "SHIRA":
        config.mask_fn = None
    if kind == "ADAMSS":
        config.use_dynamic_rank = False


@contextmanager
def setting_up() -> Iterator[None]:
    """Stand-ins that PEFT's set-up needs."""
    import peft.tuners.adamss.layer as adamss
    import peft.tuners.frod.layer as frod_layer
    import peft.tuners.frod.model as frod
    import peft.tuners.shira.layer as shira

    with ExitStack() as stack:
        for target, name, stand_in in (
            (adamss, "slice_pca", _singular_vectors),
            (adamss, "clustering_Z", _equal_clusters),
            (frod.FrodModel, "_init_frod_projections", _frod_projections),
            (frod_layer.FrodLayer, "_calculate_frod_u_and_lambda", _frod_factors),
            (torch, "svd_lowrank", _low_rank),
            (torch, "randperm", _in_order),
            (shira.ShiraLayer, "update_layer", _with_indices(shira.ShiraLayer.update_layer)),
        ):
            stack.enter_context(mock.patch.object(target, name, stand_in))
        yield


@contextmanager
def stepping() -> Iterator[None]:
    """Stand-ins that the step needs."""
    import peft.tuners.frod.layer as frod
    import peft.tuners.shira.layer as shira

    with (
        mock.patch.object(shira.Linear, "get_delta_weight", _shira_delta),
        mock.patch.object(frod.Linear, "_get_frod_tensors", _frod_tensors),
        mock.patch.object(frod.Linear, "_sparse_activation_mm", _times_sparse),
        # POLY draws from a distribution; checking its arguments would ask tensors for values.
        mock.patch.object(Distribution, "_validate_args", False),
    ):
        yield


def _singular_vectors(tensor: Tensor, r: int, device: Any, dtype: torch.dtype, **_: Any) -> tuple[Tensor, Tensor]:
    """(1, 1, r, columns) and (1, 1, rows, r)."""
    batch, channels, rows, columns = tensor.shape
    rank = min(r, rows, columns)
    meta = {"dtype": dtype, "device": "meta"}
    return torch.empty(batch, channels, rank, columns, **meta), torch.empty(batch, channels, rows, rank, **meta)


def _low_rank(matrix: Tensor, q: int = 6, **_: Any) -> tuple[Tensor, Tensor, Tensor]:
    rows, columns = matrix.shape
    return matrix.new_empty(rows, q), matrix.new_empty(q), matrix.new_empty(columns, q)


def _in_order(n: int, *, generator: torch.Generator | None = None, device: Any = None, **_: Any) -> Tensor:
    """A permutation of millions takes a host seconds; any order allocates the same."""
    return torch.arange(n, device=device if generator is None else generator.device)


def _equal_clusters(vectors: Tensor, num_subspaces: int, _: int) -> tuple[Tensor, int]:
    rows = vectors.shape[0]
    count = min(num_subspaces, rows)
    return torch.arange(rows, device="cpu") % count, count


def _frod_projections(self: Any, config: Any, adapter_name: str) -> None:
    """One basis (in, in) and one index list (2, nnz) per kind of projection, on the device of the model."""
    from peft.tuners._buffer_dict import BufferDict
    from peft.tuners.frod.model import _category_from_key
    from peft.tuners.tuners_utils import _maybe_include_all_linear_layers

    prepared = self._prepare_adapter_config(config, self.get_model_config(self.model))
    prepared = _maybe_include_all_linear_layers(prepared, self.model)
    for shared in ("frod_V", "frod_s_indices", "frod_s_size"):
        setattr(self, shared, nn.ModuleDict())
    for key, module in self.model.named_modules():
        kind = _category_from_key(key)
        if kind in self.frod_V or not isinstance(module, nn.Linear):
            continue
        if self._check_target_module_exists(prepared, key):
            width, persistent = module.in_features, config.save_projection
            nonzero = max(int(config.sparse_rate > 0), int(width * width * config.sparse_rate))
            basis = torch.empty(width, width, dtype=module.weight.dtype, device="meta")
            indices = torch.empty(2, min(nonzero, width * (width - 1)), dtype=torch.long, device="meta")
            size = torch.empty(2, dtype=torch.long, device="meta")
            self.frod_V[kind] = BufferDict({adapter_name: basis}, persistent=persistent)
            self.frod_s_indices[kind] = BufferDict({adapter_name: indices}, persistent=persistent)
            self.frod_s_size[kind] = BufferDict({adapter_name: size}, persistent=persistent)


def _frod_factors(self: Any, basis: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    rows, width = weight.shape[0], basis.shape[0]
    return torch.empty(rows, width, device="meta"), torch.empty(width, device="meta")


def _with_indices(update_layer: Any) -> Any:
    """SHiRA's set-up without a mask, then the index list that the mask would have given."""

    def update(self: Any, adapter_name: str, mask: Any, r: int, *args: Any, **kwargs: Any) -> None:
        update_layer(self, adapter_name, None, r, *args, **kwargs)
        count = self.shira_weight[adapter_name].numel()
        self.shira_indices[adapter_name] = torch.empty((2, count), dtype=torch.int32, device="meta")

    return update


class _SparseSummand(torch.autograd.Function):
    """values (n) at int32 indices (2, n), to be added to a dense (rows, columns): as wide as one value here, because
    the sum never holds the summand densely; its two dense copies come and go at once."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, indices: Tensor, rows: int, columns: int) -> Tensor:
        ctx.save_for_backward(indices.to(torch.int64))
        copies = [values.new_empty((rows, columns)) for _ in range(2)]
        del copies
        return values.new_empty((1, 1)).expand(rows, columns)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (indices,) = ctx.saved_tensors
        return grads[0].new_empty(indices.shape[1]), None, None, None


def _shira_delta(self: Any, adapter: str) -> Tensor:
    values = self.shira_weight[adapter] * self.scaling[adapter]
    return _SparseSummand.apply(values, self.shira_indices[adapter], self.out_features, self.in_features)


class _Densified(torch.autograd.Function):
    """values (n) at int64 indices (2, n), coalesced (a sorted copy of both) and written into (width, width)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, indices: Tensor, width: int) -> Tensor:
        ctx.save_for_backward(torch.empty_like(values), torch.empty_like(indices))
        return values.new_empty((width, width))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        values, _ = ctx.saved_tensors
        return torch.empty_like(values), None, None


def _frod_tensors(self: Any, adapter: str, *, device: Any, dtype: torch.dtype) -> tuple[Tensor, Tensor, Any, Tensor]:
    basis = self.frod_V[adapter].to(dtype=dtype)
    values = self.frod_lambda_s_values[adapter].to(dtype=dtype)
    diagonal = self.frod_lambda_l[adapter].to(dtype=dtype)
    factor = self.frod_U[adapter].to(dtype=dtype)
    return factor, basis, (values, self.frod_s_indices[adapter], basis.shape[0]), diagonal


def _times_sparse(self: Any, states: Tensor, sparse: Any) -> Tensor:
    if sparse[1].shape[1] == 0:
        return torch.zeros_like(states)
    return states @ _Densified.apply(*sparse).t()
