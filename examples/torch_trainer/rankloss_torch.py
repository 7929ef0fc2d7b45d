# SPDX-License-Identifier: BSL-1.0
"""The losses of rankloss as modules of torch, for tensors on the CPU and on CUDA devices.

    sndcg = ListLoss("sndcg{.temperature = t}", t=0.1)
    sndcg(scores, relevance, mask=mask).backward()          # [lists, length] each

    contrastive = EmbeddingLoss("info_nce{}")
    contrastive(images, texts, temperature=temperature).backward()   # temperature may be a parameter that is learned

The expression is C++ and makes the loss: docs/losses.md has the losses and their options. It is compiled when the module is first called on a
kind of device, which takes some ten seconds (a minute or more for CUDA), and kept in ~/.cache/rankloss_torch. Numbers such as `t` are handed
over with each call, so `sndcg.numbers["t"] = 0.05` compiles nothing.

Value and gradient are computed together by the forward pass. Second derivatives through a loss are refused.
"""
import torch

import compiled

REDUCTIONS = {"mean": 0, "mean_of_relevant": 1, "sum": 2, "none": 2}
SIMILARITIES = {"cosine": 0, "dot": 1}
COMPONENTS = {torch.float32: 0, torch.float64: 1, torch.float16: 2, torch.bfloat16: 3}
NAN = float("nan")

# torch.compile calls these modules as they are, between the graphs that it makes of the rest.
_as_it_is = getattr(getattr(torch, "compiler", None), "disable", lambda function: function)


class _Called(torch.autograd.Function):
    """A call that has computed its gradients, too: `compute` returns the value and a gradient, or None, for each input.

    `spread` makes of the gradient by the value what the gradients by the inputs are multiplied with.
    """

    @staticmethod
    def forward(ctx, compute, spread, *inputs):
        value, *gradients = compute()
        ctx.spread, ctx.inputs = spread, [(x.dtype, x.device, x.shape) for x in inputs]
        ctx.save_for_backward(*gradients)
        return value

    @staticmethod
    def backward(ctx, upstream):
        if torch.is_grad_enabled():
            raise RuntimeError("create_graph: the losses of rankloss have no second derivatives, expected a backward pass without it")
        factor = ctx.spread(upstream)
        # Multiplied before it is rounded to halves, which could not hold a small one.
        gradients = [None if g is None else (factor.to(g.device) * g).to(dtype).to(device).reshape(shape)
                     for g, (dtype, device, shape) in zip(ctx.saved_tensors, ctx.inputs)]
        return (None, None, *gradients)


class _Loss(torch.nn.Module):
    batch = None

    def __init__(self, expression, reduction="mean", **numbers):
        super().__init__()
        self.expression, self.reduction, self.numbers = expression, reduction, numbers
        if reduction not in self.reductions:
            raise ValueError(f"reduction: {reduction!r}, expected one of {', '.join(self.reductions)}")

    def extra_repr(self):
        return ", ".join([repr(self.expression), f"reduction={self.reduction!r}", *(f"{name}={value}" for name, value in self.numbers.items())])

    def compile_for(self, device="cpu"):
        """Compiles the loss for this device now, rather than at the first call."""
        device = torch.device(device)
        if device.type not in ("cpu", "cuda"):
            raise ValueError(f"device: {device.type}, expected cpu or cuda")
        capability = None if device.type == "cpu" else "{}.{}".format(*torch.cuda.get_device_capability(device))
        return compiled.compile(self.expression, self.batch, self.numbers, capability)

    def check(self, device):
        """Waits for the current stream of a CUDA device; a ValueError names the first bad number, such as a NaN, of the calls before, whose
        values are NaN. On the CPU calls say so themselves."""
        with torch.cuda.device(device):
            self.compile_for(device).check(torch.cuda.current_stream().cuda_stream)

    def _evaluate(self, call, device):
        loss = self.compile_for(device)
        if device.type == "cpu":
            loss.evaluate(call, self.numbers, torch.get_num_threads())
        else:
            with torch.cuda.device(device):
                loss.evaluate(call, self.numbers, torch.cuda.current_stream().cuda_stream)


def _address(tensor):
    return None if tensor is None else tensor.data_ptr()


def _array(name, tensor, dtype, shape, like):
    """A contiguous tensor of this type and shape on the device of `like`, or None if it is not given."""
    if tensor is None:
        return None
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"{name}: {type(tensor).__name__}, expected a tensor")
    if tensor.device != like.device:
        raise ValueError(f"{name}: on {tensor.device}, expected {like.device}, where the batch is")
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(f"{name}: shape {tuple(tensor.shape)}, expected {tuple(shape)}")
    if dtype == torch.uint8:
        tensor = tensor != 0
        return tensor.contiguous()
    if dtype == torch.int64 and (tensor.is_floating_point() or tensor.dtype == torch.bool):
        raise TypeError(f"{name}: {tensor.dtype}, expected whole numbers")
    return tensor.detach().to(dtype).contiguous()


class ListLoss(_Loss):
    """A loss of lists of scored items, or a metric, which has no gradient.

    scores       [..., length] dense: each row is a list; or [items] with offsets: list q is offsets[q] to offsets[q + 1];
                 or [items]: one list. float32 or float64; halves and bfloat16 are computed as float32.
    relevance    shape of scores, of any type
    mask         shape of scores; 0 or False: the item takes no part and has a gradient of 0
    lengths      [...] dense: how many items of each row count
    offsets      [lists + 1] from 0 to the number of items; with `longest`, a bound of the lengths, a CUDA device needs fewer launches
    list_weights [lists] or [...], item_weights: shape of scores

    The value has the type of the scores. With reduction="none" it is that of each list.
    """

    batch = "lists"
    reductions = tuple(REDUCTIONS)

    @_as_it_is
    def forward(self, scores, relevance, *, mask=None, lengths=None, offsets=None, longest=0, list_weights=None, item_weights=None):
        if not isinstance(scores, torch.Tensor) or not scores.is_floating_point() or scores.dim() == 0:
            raise TypeError("scores: expected a tensor of real numbers with at least one dimension")
        if scores.dtype not in (torch.float32, torch.float64):
            value = self(scores.float(), relevance, mask=mask, lengths=lengths, offsets=offsets, longest=longest, list_weights=list_weights,
                         item_weights=item_weights)
            return value.to(scores.dtype)
        if offsets is not None and (scores.dim() != 1 or offsets.dim() != 1 or len(offsets) == 0):
            raise ValueError(f"offsets: shape {tuple(offsets.shape)} with scores of {tuple(scores.shape)}, expected [lists + 1] and [items]")
        shape = scores.shape
        rows = shape[:-1] if offsets is None else (len(offsets) - 1,)
        lists = rows.numel() if offsets is None else rows[0]
        s = scores.detach().contiguous()
        y = _array("relevance", relevance, s.dtype, shape, s)
        held = {"mask": _array("mask", mask, torch.uint8, shape, s), "lengths": _array("lengths", lengths, torch.int64, rows, s),
                "offsets": _array("offsets", offsets, torch.int64, (lists + 1,), s),
                "list_weights": _array("list_weights", list_weights, torch.float64, rows, s),
                "item_weights": _array("item_weights", item_weights, torch.float64, shape, s)}
        wants_gradient = scores.requires_grad and torch.is_grad_enabled()
        each = self.reduction == "none"

        def compute():
            value = torch.zeros((), dtype=torch.float64, device=s.device)
            gradient = torch.zeros_like(s) if wants_gradient else None
            per_list = torch.zeros(rows, dtype=torch.float64, device=s.device) if each else None
            call = compiled.Lists(scores=s.data_ptr(), relevance=y.data_ptr(), value=value.data_ptr(), gradient=_address(gradient),
                                  per_list=_address(per_list), items=s.numel(), lists=lists, longest=longest,
                                  length=0 if s.dim() == 1 else shape[-1], reduction=REDUCTIONS[self.reduction],
                                  double_precision=s.dtype == torch.float64, **{name: _address(array) for name, array in held.items()})
            self._evaluate(call, s.device)
            if each:
                value = per_list if held["list_weights"] is None else per_list * held["list_weights"]
            return value.to(s.dtype), gradient

        def spread(upstream):
            if not each or not rows:
                return upstream
            return upstream.unsqueeze(-1) if offsets is None else torch.repeat_interleave(upstream, offsets.diff())

        return _Called.apply(compute, spread, scores)


class EmbeddingLoss(_Loss):
    """A loss of the similarities between two sets of embeddings, which are never held as a matrix.

    x            [rows, dimension], y [columns, dimension]; without y the rows are compared with themselves.
                 float32, float64, float16 or bfloat16. Gradients go through the normalisation of `similarity`, "cosine" or "dot".
    temperature  a number or a tensor of one, which then has a gradient, instead of the one in the expression; bias likewise.
                 Its number is read by the host, so a CUDA device is waited for where it lies there.
    matches      [rows, columns] what belongs together, or row_classes and column_classes (equal ids), or neither: row i and column i
    mask         [rows, columns] 0 or False: the pair takes no part; without_diagonal: pairs (i, i) take none
    extra_columns  columns behind the first `rows` match no row: more negatives
    row_ids, column_ids: pairs of equal ids that do not match take no part; row_weights, column_weights

    The value is of type float32, or float64 where embeddings are.
    """

    batch = "embeddings"
    reductions = ("mean", "mean_of_relevant", "sum")

    def __init__(self, expression, reduction="mean", similarity="cosine", **numbers):
        super().__init__(expression, reduction, **numbers)
        if similarity not in SIMILARITIES:
            raise ValueError(f"similarity: {similarity!r}, expected one of {', '.join(SIMILARITIES)}")
        self.similarity = similarity

    @_as_it_is
    def forward(self, x, y=None, *, temperature=None, bias=None, matches=None, mask=None, row_classes=None, column_classes=None, row_ids=None,
                column_ids=None, row_weights=None, column_weights=None, without_diagonal=False, extra_columns=False):
        if not isinstance(x, torch.Tensor) or x.dtype not in COMPONENTS or x.dim() != 2:
            raise TypeError("x: expected a tensor [rows, dimension] of real numbers")
        if y is not None and (y.dtype != x.dtype or y.dim() != 2 or y.shape[1] != x.shape[1] or y.device != x.device):
            raise ValueError(f"y: {tuple(y.shape)}, {y.dtype} on {y.device}, expected [columns, {x.shape[1]}], {x.dtype} on {x.device}")
        rows, dimension = x.shape
        columns = rows if y is None else y.shape[0]
        xs, ys = x.detach().contiguous(), None if y is None else y.detach().contiguous()
        pairs = (rows, columns)
        held = {"matches": _array("matches", matches, torch.uint8, pairs, xs), "mask": _array("mask", mask, torch.uint8, pairs, xs)}
        for name, array, dtype, size in (("row_classes", row_classes, torch.int64, rows), ("column_classes", column_classes, torch.int64, columns),
                                         ("row_ids", row_ids, torch.int64, rows), ("column_ids", column_ids, torch.int64, columns),
                                         ("row_weights", row_weights, torch.float64, rows),
                                         ("column_weights", column_weights, torch.float64, columns)):
            held[name] = _array(name, array, dtype, (size,), xs)
        real = torch.float64 if x.dtype == torch.float64 else torch.float32
        scalars = [t if t is None or isinstance(t, torch.Tensor) else torch.tensor(float(t), dtype=torch.float64) for t in (temperature, bias)]
        for name, scalar in zip(("temperature", "bias"), scalars):
            if scalar is not None and scalar.numel() != 1:
                raise ValueError(f"{name}: shape {tuple(scalar.shape)}, expected one number")
        inputs = [x, *(t for t in (y, *scalars) if t is not None)]
        recorded = torch.is_grad_enabled()

        def compute():
            def wanted(tensor, shape, dtype):
                return torch.zeros(shape, dtype=dtype, device=xs.device) if recorded and tensor is not None and tensor.requires_grad else None

            value = torch.zeros((), dtype=torch.float64, device=xs.device)
            dx, dy = wanted(x, xs.shape, real), wanted(y, (columns, dimension), real)
            by_scalar = [wanted(scalar, (), torch.float64) for scalar in scalars]
            call = compiled.Embeddings(row_embeddings=xs.data_ptr(), column_embeddings=_address(ys), value=value.data_ptr(),
                                       row_gradient=_address(dx), column_gradient=_address(dy), temperature_gradient=_address(by_scalar[0]),
                                       bias_gradient=_address(by_scalar[1]),
                                       temperature=NAN if scalars[0] is None else float(scalars[0].detach()),
                                       bias=NAN if scalars[1] is None else float(scalars[1].detach()),
                                       rows=rows, columns=columns, dimension=dimension, reduction=REDUCTIONS[self.reduction],
                                       similarity=SIMILARITIES[self.similarity], component=COMPONENTS[x.dtype], without_diagonal=without_diagonal,
                                       extra_columns=extra_columns, **{name: _address(array) for name, array in held.items()})
            self._evaluate(call, xs.device)
            gradients = [g for t, g in zip((x, y, *scalars), (dx, dy, *by_scalar)) if t is not None]
            return value.to(real), *gradients

        return _Called.apply(compute, lambda upstream: upstream, *inputs)
