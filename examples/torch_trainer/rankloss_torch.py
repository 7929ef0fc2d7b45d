# SPDX-License-Identifier: BSL-1.0
"""The losses of rankloss as modules of torch, for tensors on the CPU and on CUDA devices.

    sndcg = ListLoss("sndcg{.temperature = t}", t=0.1)
    sndcg(scores, relevance, mask=mask).backward()          # [lists, length] each

    contrastive = EmbeddingLoss("info_nce{}")
    contrastive(images, texts, temperature=temperature).backward()   # temperature may be a parameter that is learned

The expression is C++ and makes the loss: docs/losses.md has the losses and their options. It is compiled when the module is first called on a
kind of device, which takes some ten seconds (a minute or more for CUDA), and kept in ~/.cache/rankloss_torch. Numbers such as `t` are handed
over with each call, so `sndcg.numbers["t"] = 0.05` compiles nothing; they are part of the module's state_dict.

Value and gradient are computed together by the forward pass. Second derivatives through a loss are refused.
"""
import torch

import compiled

REDUCTIONS = {"mean": 0, "mean_of_relevant": 1, "sum": 2, "none": 2}
SIMILARITIES = {"cosine": 0, "dot": 1, "projection": 2}
COMPONENTS = {torch.float32: 0, torch.float64: 1, torch.float16: 2, torch.bfloat16: 3}

# torch.compile calls these modules as they are, between the graphs that it makes of the rest.
_as_it_is = getattr(getattr(torch, "compiler", None), "disable", lambda function: function)


class _NoSecond(torch.autograd.Function):
    """A gradient that depends on the inputs in a way that nobody can differentiate; a constant would be wrong without a word."""

    @staticmethod
    def forward(_, gradient, *inputs):
        return gradient.clone()

    @staticmethod
    def backward(_, upstream):
        raise RuntimeError("the losses of rankloss have no second derivatives")


class _Called(torch.autograd.Function):
    """A call that has computed its gradients, too: `compute` returns the value and a gradient, or None, for each input.

    `spread` makes of the gradient by the value what the gradients by the inputs are multiplied with.
    """

    @staticmethod
    def forward(ctx, compute, spread, *inputs):
        value, *gradients = compute()
        # Not saved as tensors, which must not be changed in place: their values are not needed any more.
        ctx.spread, ctx.inputs = spread, inputs
        ctx.save_for_backward(*gradients)
        if all(g is None for g in gradients):
            ctx.mark_non_differentiable(value)
        return value

    @staticmethod
    def backward(ctx, upstream):
        factor = ctx.spread(upstream)
        gradients = []
        for g, x in zip(ctx.saved_tensors, ctx.inputs):
            if g is not None:
                # Multiplied before it is rounded to halves, which could not hold a small one.
                g = (factor.to(g.device) * g).to(x.dtype).to(x.device).reshape(x.shape)
                if torch.is_grad_enabled():
                    g = _NoSecond.apply(g, x)
            gradients.append(g)
        return (None, None, *gradients)


class _Loss(torch.nn.Module):
    batch = None

    def __init__(self, expression, reduction="mean", **numbers):
        super().__init__()
        self.expression, self.reduction, self.numbers = expression, reduction, numbers
        self._whole = {name: compiled.is_whole(name, value) for name, value in numbers.items()}
        self._choice("reduction", self.reductions)

    def _choice(self, name, choices):
        value = getattr(self, name)
        if value not in choices:
            raise ValueError(f"{name}: {value!r}, expected one of {', '.join(choices)}")
        return choices[value]

    def extra_repr(self):
        return ", ".join([repr(self.expression), f"reduction={self.reduction!r}", *(f"{name}={value}" for name, value in self.numbers.items())])

    def get_extra_state(self):
        return {name: float(value) for name, value in self.numbers.items()}

    def set_extra_state(self, state):
        self.numbers = {name: int(value) if self._whole.get(name) else value for name, value in state.items()}

    def compile_for(self, device="cpu"):
        """Compiles the loss for this device now, rather than at the first call."""
        device = torch.device(device)
        if device.type not in ("cpu", "cuda"):
            raise ValueError(f"device: {device.type}, expected cpu or cuda")
        capability = None if device.type == "cpu" else "{}.{}".format(*torch.cuda.get_device_capability(device))
        return compiled.compile(self.expression, self.batch, self._whole, capability)

    def check(self, device):
        """Waits for the current stream of a CUDA device; a ValueError names the first bad number, such as a NaN, of the calls before, whose
        values are NaN. On the CPU calls say so themselves, and this does nothing."""
        if torch.device(device).type == "cuda":
            with torch.cuda.device(device):
                self.compile_for(device).check(torch.cuda.current_stream().cuda_stream)

    def _evaluate(self, loss, call, device):
        if device.type == "cpu":
            loss.evaluate(call, self.numbers, torch.get_num_threads())
        else:
            with torch.cuda.device(device):
                loss.evaluate(call, self.numbers, torch.cuda.current_stream().cuda_stream)


def _input(name, tensor, like=None):
    """A tensor whose numbers can be read where they are, for `like`, if it is given, on the same device."""
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"{name}: {type(tensor).__name__}, expected a tensor")
    if tensor.layout != torch.strided or tensor.is_complex():
        raise TypeError(f"{name}: {tensor.layout}, {tensor.dtype}, expected a dense tensor of real numbers")
    if like is not None and tensor.device != like.device:
        raise ValueError(f"{name}: on {tensor.device}, expected {like.device}, where the batch is")
    return tensor


def _contiguous(name, tensor, dtype):
    tensor = tensor.detach().resolve_neg().to(dtype).contiguous()
    if tensor.numel() > 0 and tensor.data_ptr() == 0:
        raise ValueError(f"{name}: it has a shape and no memory, expected numbers")
    return tensor


def _array(name, tensor, dtype, shape, like):
    """A contiguous tensor of this type and shape on the device of `like`, or None if it is not given."""
    if tensor is None:
        return None
    _input(name, tensor, like)
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(f"{name}: shape {tuple(tensor.shape)}, expected {tuple(shape)}")
    if tensor.requires_grad and torch.is_grad_enabled():
        raise ValueError(f"{name}: it requires a gradient, and there is none by it; expected {name}.detach()")
    if dtype == torch.bool:
        tensor = tensor != 0
    elif dtype == torch.int64 and (tensor.is_floating_point() or tensor.dtype == torch.bool):
        raise TypeError(f"{name}: {tensor.dtype}, expected whole numbers")
    return _contiguous(name, tensor, dtype)


def _address(tensor):
    return None if tensor is None else tensor.data_ptr()


class ListLoss(_Loss):
    """A loss of lists of scored items, or a metric, which has no gradient.

    scores       [..., length] dense: each row is a list; or [items] with offsets: list q is offsets[q] to offsets[q + 1];
                 or [items]: one list. float32 or float64; halves and bfloat16 are computed as float32.
    relevance    shape of scores, of any type
    mask         shape of scores; 0 or False: the item takes no part and has a gradient of 0
    lengths      [...] dense: how many items of each row count
    offsets      [lists + 1] from 0 to the number of items; with `longest`, a bound of the lengths, a CUDA device needs fewer launches
    list_weights [...] or [lists], item_weights: shape of scores

    The value is of type float64 where scores are, else float32. With reduction="none" it is that of each list: [...] or [lists].
    """

    batch = "lists"
    reductions = REDUCTIONS

    @_as_it_is
    def forward(self, scores, relevance, *, mask=None, lengths=None, offsets=None, longest=0, list_weights=None, item_weights=None):
        if not _input("scores", scores).is_floating_point() or scores.dim() == 0:
            raise TypeError(f"scores: {scores.dtype} of shape {tuple(scores.shape)}, expected real numbers with at least one dimension")
        real = torch.float64 if scores.dtype == torch.float64 else torch.float32
        s = _contiguous("scores", scores, real)
        shape, rows, sizes = scores.shape, scores.shape[:-1], None
        if offsets is not None:
            if scores.dim() != 1 or _input("offsets", offsets, s).dim() != 1 or len(offsets) == 0:
                raise ValueError(f"offsets: shape {tuple(offsets.shape)} with scores of {tuple(shape)}, expected [lists + 1] and [items]")
            rows = (len(offsets) - 1,)
            offsets = _array("offsets", offsets, torch.int64, offsets.shape, s)
            sizes = offsets.diff()
            if longest < 0 or (longest > 0 and s.device.type == "cpu" and bool((sizes > longest).any())):
                raise ValueError(f"longest: {longest}, expected a bound of the lengths of all lists")
        elif longest != 0:
            raise ValueError("longest: given without offsets, expected nothing: the lengths are known")
        lists = rows.numel() if offsets is None else rows[0]
        if lengths is not None and scores.dim() == 1:
            raise ValueError("lengths: given with scores of one dimension, expected rows of items")
        lengths = _array("lengths", lengths, torch.int64, rows, s)
        if scores.dim() > 1 and shape[-1] == 0:
            offsets, lengths = torch.zeros(lists + 1, dtype=torch.int64, device=s.device), None  # a length of 0 would mean one list
        if isinstance(list_weights, torch.Tensor) and not rows and list_weights.numel() == 1 and offsets is None:
            list_weights = list_weights.reshape(())
        held = {"relevance": _array("relevance", relevance, s.dtype, shape, s), "mask": _array("mask", mask, torch.bool, shape, s),
                "lengths": lengths, "offsets": offsets, "list_weights": _array("list_weights", list_weights, torch.float64, rows, s),
                "item_weights": _array("item_weights", item_weights, torch.float64, shape, s)}
        if held["relevance"] is None:
            raise TypeError("relevance: None, expected a tensor")
        reduction, each = self._choice("reduction", self.reductions), self.reduction == "none"
        loss = self.compile_for(s.device)
        wants_gradient = loss.has_gradient and scores.requires_grad and torch.is_grad_enabled()

        def compute():
            value = torch.zeros((), dtype=torch.float64, device=s.device)
            gradient = torch.zeros_like(s) if wants_gradient else None
            per_list = torch.zeros(rows, dtype=torch.float64, device=s.device) if each else None
            call = compiled.Lists(scores=s.data_ptr(), value=value.data_ptr(), gradient=_address(gradient), per_list=_address(per_list),
                                  items=s.numel(), lists=lists, longest=longest, length=0 if s.dim() == 1 or offsets is not None else shape[-1],
                                  reduction=reduction, double_precision=real == torch.float64,
                                  **{name: _address(array) for name, array in held.items()})
            self._evaluate(loss, call, s.device)
            if each:
                value = per_list if held["list_weights"] is None else per_list * held["list_weights"]
            return value.to(real), gradient

        def spread(upstream):
            """Of each item: that of its list."""
            if not each or not rows:
                return upstream
            return upstream.unsqueeze(-1) if sizes is None else torch.repeat_interleave(upstream, sizes, output_size=s.numel())

        return _Called.apply(compute, spread, scores)


class EmbeddingLoss(_Loss):
    """A loss of the similarities between two sets of embeddings, which are never held as a matrix.

    x            [rows, dimension], y [columns, dimension]; without y the rows are compared with themselves.
                 float32, float64, float16 or bfloat16. Gradients go through the normalisation of `similarity`: "cosine", "dot" or
                 "projection", which is x y / |y|.
    temperature  a number or a tensor of one, which then has a gradient, instead of the one in the expression; bias likewise.
                 Its number is read by the host, so a CUDA device is waited for where it lies there.
    matches      [rows, columns] what belongs together, or row_classes and column_classes (equal ids), or neither: row i and column i
    mask         [rows, columns] 0 or False: the pair takes no part; without_diagonal: pairs (i, i) take none
    extra_columns  columns behind the first `rows` match no row: more negatives
    row_ids, column_ids: pairs of equal ids that do not match take no part; row_weights, column_weights

    The value is of type float64 where embeddings are, else float32.
    """

    batch = "embeddings"
    reductions = {name: number for name, number in REDUCTIONS.items() if name != "none"}

    def __init__(self, expression, reduction="mean", similarity="cosine", **numbers):
        super().__init__(expression, reduction, **numbers)
        self.similarity = similarity
        self._choice("similarity", SIMILARITIES)

    def extra_repr(self):
        return f"{super().extra_repr()}, similarity={self.similarity!r}"

    @_as_it_is
    def forward(self, x, y=None, *, temperature=None, bias=None, matches=None, mask=None, row_classes=None, column_classes=None, row_ids=None,
                column_ids=None, row_weights=None, column_weights=None, without_diagonal=False, extra_columns=False):
        if _input("x", x).dtype not in COMPONENTS or x.dim() != 2:
            raise TypeError(f"x: {x.dtype} of shape {tuple(x.shape)}, expected [rows, dimension] of real numbers")
        if y is not None and (_input("y", y, x).dtype != x.dtype or y.dim() != 2 or y.shape[1] != x.shape[1]):
            raise ValueError(f"y: {y.dtype} of shape {tuple(y.shape)}, expected {x.dtype} of [columns, {x.shape[1]}], as x is")
        if y is not None and len(y) == 0:
            raise ValueError("y: no columns, expected at least one")
        rows, dimension = x.shape
        columns = rows if y is None else y.shape[0]
        xs, ys = _contiguous("x", x, x.dtype), None if y is None else _contiguous("y", y, x.dtype)
        held = {}
        for name, array, dtype, shape in (
                ("matches", matches, torch.bool, (rows, columns)), ("mask", mask, torch.bool, (rows, columns)),
                ("row_classes", row_classes, torch.int64, (rows,)), ("column_classes", column_classes, torch.int64, (columns,)),
                ("row_ids", row_ids, torch.int64, (rows,)), ("column_ids", column_ids, torch.int64, (columns,)),
                ("row_weights", row_weights, torch.float64, (rows,)), ("column_weights", column_weights, torch.float64, (columns,))):
            held[name] = _array(name, array, dtype, shape, xs)
        real = torch.float64 if x.dtype == torch.float64 else torch.float32
        scalars = {}
        for name, scalar in (("temperature", temperature), ("bias", bias)):
            if scalar is not None and not isinstance(scalar, torch.Tensor):
                scalar = torch.tensor(float(scalar), dtype=torch.float64)
            if scalar is not None and (scalar.numel() != 1 or not scalar.is_floating_point()):
                raise ValueError(f"{name}: {scalar.dtype} of shape {tuple(scalar.shape)}, expected one real number")
            scalars[name] = scalar
        inputs = [t for t in (x, y, *scalars.values()) if t is not None]
        recorded = torch.is_grad_enabled()
        reduction, similarity = self._choice("reduction", self.reductions), self._choice("similarity", SIMILARITIES)
        loss = self.compile_for(xs.device)

        def compute():
            def wanted(tensor, shape, dtype):
                return torch.zeros(shape, dtype=dtype, device=xs.device) if recorded and tensor is not None and tensor.requires_grad else None

            value = torch.zeros((), dtype=torch.float64, device=xs.device)
            dx, dy = wanted(x, xs.shape, real), wanted(y, (columns, dimension), real)
            by_scalar = {name: wanted(scalar, (), torch.float64) for name, scalar in scalars.items()}
            call = compiled.Embeddings(row_embeddings=xs.data_ptr(), column_embeddings=_address(ys), value=value.data_ptr(),
                                       row_gradient=_address(dx), column_gradient=_address(dy), rows=rows, columns=columns, dimension=dimension,
                                       reduction=reduction, similarity=similarity, component=COMPONENTS[x.dtype],
                                       without_diagonal=bool(without_diagonal), extra_columns=bool(extra_columns),
                                       **{name: _address(array) for name, array in held.items()})
            for name, scalar in scalars.items():
                if scalar is not None:
                    setattr(call, name, float(scalar.detach()))
                    setattr(call, f"has_{name}", True)
                    setattr(call, f"{name}_gradient", _address(by_scalar[name]))
            self._evaluate(loss, call, xs.device)
            gradients = (dx, dy, *by_scalar.values())
            return value.to(real), *(g for t, g in zip((x, y, *scalars.values()), gradients) if t is not None)

        return _Called.apply(compute, lambda upstream: upstream, *inputs)
