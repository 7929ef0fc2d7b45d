# SPDX-License-Identifier: BSL-1.0
"""What is compared: each work, its data, and the same computation by rankloss and by its peers.

Where a peer has the loss, its own function is called. "PyTorch" and "JAX" are the formula, written down as a reader of the paper would.
"""
import ctypes
import functools
from types import SimpleNamespace

import numpy as np

ALL = {}


class work:
    """One kind of work: `title` names it, `unit` says what a size counts, `what` is computed, `notes` say of a library what its figures do
    not, and `headers` are the public ones that rankloss computes it by. The function that is decorated returns the libraries."""

    def __init__(self, title, unit, sizes, headers, what="value and gradient", notes=None):
        self.title, self.unit, self.sizes, self.headers, self.what, self.notes = title, unit, sizes, headers, what, notes or {}

    def __call__(self, libraries):
        self.libraries = libraries
        ALL[libraries.__name__] = self
        return self


class answer:
    """run() computes, and read(what it returned) is the value and the gradients. cold() computes without scratch of earlier calls; it is False
    where memory would tell nothing. The time of less() is not that of the loss."""

    def __init__(self, run, read, cold=None, less=None):
        self.run, self.read, self.less = run, read, less
        self.cold = run if cold is None else cold


class tools:
    """What a work needs to call the libraries."""

    def __init__(self, library, threads, memory):
        self.threads, self.memory = threads, memory
        self.c = ctypes.CDLL(library)
        self.c.peers_context.restype = ctypes.c_void_p
        self.c.peers_error.restype = ctypes.c_char_p
        self.c.peers_context.argtypes, self.c.peers_release.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
        self.context = self.c.peers_context(threads)
        self.random = np.random.default_rng(7)

    # rankloss

    def ours(self, function, arguments, outputs, value=True, context=True):
        """The libraries "rankloss" and "rankloss in double". `arguments(of)` are those of `function` after the context and the type, where
        of(array) is an array in that type; `outputs` are the sizes of the arrays that come last and hold the gradients, 0 for none."""
        def prepare(kind):
            call = getattr(self.c, function)
            call.restype = ctypes.c_double
            kept = []

            def of(array):
                kept.append(np.ascontiguousarray(np.asarray(array, np.float32), kind))  # all libraries have the same numbers
                return ctypes.c_void_p(kept[-1].ctypes.data)

            given = [ctypes.c_bool(kind is np.float64) if a is WIDE else a for a in arguments(of)]
            results = [np.empty(n, kind) for n in outputs if n]
            rest = iter(results)
            tail = [ctypes.c_void_p(next(rest).ctypes.data if n else None) for n in outputs]

            def by(head, _=kept):  # the arrays live as long as the function that has their addresses
                found = call(*head, *given, *tail)
                if found != found:
                    raise ValueError(self.c.peers_error().decode())
                return found

            head = [ctypes.c_void_p(self.context)] if context else []

            def cold():
                own = self.c.peers_context(self.threads)
                try:
                    return by([ctypes.c_void_p(own)])
                finally:
                    self.c.peers_release(own)

            def read(found):
                return (found if value else None), [np.array(r) for r in results] or None

            return answer(functools.partial(by, head), read, cold if context else None)
        return {"rankloss": lambda: prepare(np.float32), "rankloss in double": lambda: prepare(np.float64)}

    # The libraries of arrays. `loss(xp-like module, inputs)`: functions are written twice, since the two differ.

    def torch(self, loss, inputs, constants=(), compiled=False):
        def prepare():
            import torch
            torch.set_num_threads(self.threads)
            xs = [torch.from_numpy(x.astype(np.float32)).requires_grad_() for x in inputs]
            others = [torch.from_numpy(c.astype(np.float32) if c.dtype == np.float64 else c) for c in constants]
            run = torch.compile(loss, dynamic=False) if compiled else loss

            def call():
                found = run(*xs, *others)
                return found, torch.autograd.grad(found, xs)

            return answer(call, lambda found: (float(found[0].detach()), [g.numpy().ravel() for g in found[1]]))
        return prepare

    def both_torches(self, loss, inputs, constants=()):
        return {"PyTorch": self.torch(loss, inputs, constants), "PyTorch, compiled": self.torch(loss, inputs, constants, compiled=True)}

    def jax(self, loss, inputs, constants=(), offset=0.0):
        def prepare():
            import jax
            import jax.numpy as jnp
            xs = [jnp.asarray(x, jnp.float32) for x in inputs]
            others = [jnp.asarray(c, jnp.float32 if c.dtype == np.float64 else c.dtype) for c in constants]
            run = jax.jit(jax.value_and_grad(loss, argnums=tuple(range(len(xs)))))
            return answer(lambda: jax.block_until_ready(run(*xs, *others)),
                          lambda found: (float(found[0]) + offset, [np.asarray(g).ravel() for g in found[1]]))
        return prepare

    def call(self, function, read):
        """A library whose `function()` returns what `read` makes a value and gradients of."""
        def prepare():
            made = function()
            return answer(made, read)
        return prepare


WIDE = SimpleNamespace()  # in the arguments: whether the arrays are of doubles
size = ctypes.c_size_t
real = ctypes.c_double


def int64(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def up_to(limit, n, libraries):
    """The libraries, if a size is not beyond what they can be given in time and memory."""
    return libraries if n <= limit else {}


# Policies


@work("Clipped PPO loss", "actions", (1000, 10000, 100000, 1000000), ("ppo",))
def ppo(n, t):
    old = t.random.normal(-2.0, 1.0, n)
    now, advantages = old + t.random.normal(0.0, 0.2, n), t.random.normal(size=n)

    def in_torch(now, old, advantages):
        import torch
        ratio = (now - old).exp()
        return -torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()

    def in_jax(now, old, advantages):
        import jax.numpy as jnp
        ratio = jnp.exp(now - old)
        return -jnp.minimum(ratio * advantages, jnp.clip(ratio, 0.8, 1.2) * advantages).mean()

    return {**t.ours("peers_ppo", lambda of: (WIDE, of(now), of(old), of(advantages), size(n), real(0.2)), (n,)),
            **t.both_torches(in_torch, [now], [old, advantages]), "JAX": t.jax(in_jax, [now], [old, advantages])}


@work("Clipped critic loss", "states", (1000, 10000, 100000, 1000000), ("ppo",))
def critic(n, t):
    old = t.random.normal(size=n)
    values, returns = old + t.random.normal(0.0, 0.2, n), old + t.random.normal(size=n)

    def in_torch(values, returns, old):
        import torch
        near = old + (values - old).clamp(-0.2, 0.2)
        return 0.5 * torch.maximum((values - returns) ** 2, (near - returns) ** 2).mean()

    def in_jax(values, returns, old):
        import jax.numpy as jnp
        near = old + jnp.clip(values - old, -0.2, 0.2)
        return 0.5 * jnp.maximum((values - returns) ** 2, (near - returns) ** 2).mean()

    return {**t.ours("peers_critic", lambda of: (WIDE, of(values), of(returns), of(old), size(n), real(0.2)), (n,)),
            **t.both_torches(in_torch, [values], [returns, old]), "JAX": t.jax(in_jax, [values], [returns, old])}


@work("Generalised advantages", "steps, in trajectories of 1000", (10000, 100000, 1000000), ("gae",), what="advantages and returns")
def gae(n, t):
    length = 1000
    rewards, values = t.random.normal(size=n), t.random.normal(size=n)
    offsets = np.arange(0, n + 1, length)
    # The peers have the steps of one time side by side, which is the better layout for them.
    by_time = [np.ascontiguousarray(x.reshape(-1, length).T, np.float32) for x in (rewards, values)]

    def in_numpy():
        r, v = by_time
        advantages = np.empty_like(r)

        def run():
            later, next_value = np.zeros_like(r[0]), np.zeros_like(r[0])
            for i in range(length - 1, -1, -1):
                later = r[i] + np.float32(0.99) * next_value - v[i] + np.float32(0.99 * 0.95) * later
                advantages[i], next_value = later, v[i]
            return advantages, advantages + v
        return run

    def in_jax():
        import jax
        import jax.numpy as jnp
        r, v = (jnp.asarray(x) for x in by_time)

        @jax.jit
        def found(r, v):
            def step(later, of):
                r, v, next_value = of
                later = r + 0.99 * next_value - v + 0.99 * 0.95 * later
                return later, later
            following = jnp.concatenate([v[1:], jnp.zeros_like(v[:1])])
            _, advantages = jax.lax.scan(step, jnp.zeros_like(r[0]), (r, v, following), reverse=True)
            return advantages, advantages + v
        return lambda: jax.block_until_ready(found(r, v))

    def read(found):
        return None, [np.asarray(x).T.ravel() for x in found]

    return {**t.ours("peers_gae", lambda of: (WIDE, of(rewards), of(values), size(n), int64(offsets), size(len(offsets) - 1), real(0.99),
                                              real(0.95)), (n, n), value=False),
            "NumPy": t.call(in_numpy, read), "JAX": t.call(in_jax, read)}


# Lists


def some_lists(n, length, t, grades=5):
    return t.random.normal(size=n), t.random.integers(0, grades, n).astype(np.float64)


def our_list(t, name, n, length, scores, relevance, temperature=1.0, hessian=False):
    return t.ours("peers_lists", lambda of: (name.encode(), WIDE, of(scores), of(relevance), size(n), size(length), real(temperature)),
                  (n, n if hessian else 0))


@work("Softmax cross entropy", "items of one list", (1000, 10000, 100000, 1000000), ("softmax_cross_entropy",))
def softmax_cross_entropy(n, t):
    scores, relevance = some_lists(n, n, t)
    share = relevance / relevance.sum()

    def in_torch(s, q):
        return -(q * s.log_softmax(0)).sum()

    def in_jax(s, q):
        import jax
        return -(q * jax.nn.log_softmax(s)).sum()

    def in_rax(s, q):
        import rax
        return rax.softmax_loss(s, q)

    return {**our_list(t, "softmax_cross_entropy", n, n, scores, relevance), **t.both_torches(in_torch, [scores], [share]),
            "JAX": t.jax(in_jax, [scores], [share]), "Rax": t.jax(in_rax, [scores], [share])}


@work("ListNet", "items of one list", (1000, 10000, 100000, 1000000), ("listnet",))
def listnet(n, t):
    scores, relevance = some_lists(n, n, t)

    def in_torch(s, y):
        return -(y.softmax(0) * s.log_softmax(0)).sum()

    def in_jax(s, y):
        import jax
        return -(jax.nn.softmax(y) * jax.nn.log_softmax(s)).sum()

    return {**our_list(t, "listnet", n, n, scores, relevance), **t.both_torches(in_torch, [scores], [relevance]),
            "JAX": t.jax(in_jax, [scores], [relevance])}


@work("ListMLE", "items of one list", (1000, 10000, 100000, 1000000), ("listmle",))
def listmle(n, t):
    scores, relevance = some_lists(n, n, t)

    def in_torch(s, y):
        import torch
        s = s[torch.argsort(-y, stable=True)]
        return (s.flip(0).logcumsumexp(0).flip(0) - s).sum()

    def in_jax(s, y):
        import jax
        import jax.numpy as jnp
        s = s[jnp.argsort(-y, stable=True)]
        return (jax.lax.cumlogsumexp(s, reverse=True) - s).sum()

    def in_rax(s, y):
        import rax
        return rax.listmle_loss(s, y)

    return {**our_list(t, "listmle", n, n, scores, relevance), **t.both_torches(in_torch, [scores], [relevance]),
            "JAX": t.jax(in_jax, [scores], [relevance]), "Rax": t.jax(in_rax, [scores], [relevance])}


QUADRATIC = 4096  # items of a list whose pairs a peer forms in memory


def smooth_ndcg_torch(s, y):
    import torch
    differences = (s[..., None, :] - s[..., :, None]) / 0.1
    ranks = differences.sigmoid().sum(-1) + 0.5  # an item adds a half to its own rank
    gain = torch.exp2(y) - 1
    discounts = torch.log2(torch.arange(s.shape[-1]) + 2.0)
    ideal = (gain.sort(-1, descending=True).values / discounts).sum(-1)
    return (1 - (gain / torch.log2(1 + ranks)).sum(-1) / ideal).mean()


def smooth_ndcg_jax(s, y):
    import jax
    import jax.numpy as jnp
    ranks = jax.nn.sigmoid((s[..., None, :] - s[..., :, None]) / 0.1).sum(-1) + 0.5
    gain = jnp.exp2(y) - 1
    discounts = jnp.log2(jnp.arange(s.shape[-1]) + 2.0)
    ideal = (-jnp.sort(-gain, axis=-1) / discounts).sum(-1)
    return (1 - (gain / jnp.log2(1 + ranks)).sum(-1) / ideal).mean()


def smooth_ndcg_rax(s, y):
    import jax
    import rax
    # What rax.approx_t12n makes of the metric; it cannot be called itself, since this JAX no longer has jax.util, which it uses.
    ranks = functools.partial(rax.utils.approx_ranks, step_fn=lambda x: jax.nn.sigmoid(x / 0.1))
    return -rax.ndcg_metric(s, y, rank_fn=ranks)


@work("S-NDCG (ApproxNDCG), temperature 0.1", "items of one list", (128, 1024, QUADRATIC, 32768, 262144, 1000000), ("sndcg",))
def sndcg(n, t):
    scores, relevance = some_lists(n, n, t)
    return {**our_list(t, "sndcg", n, n, scores, relevance, 0.1),
            **up_to(QUADRATIC, n, {**t.both_torches(smooth_ndcg_torch, [scores], [relevance]),
                                   "JAX": t.jax(smooth_ndcg_jax, [scores], [relevance]),
                                   "Rax": t.jax(smooth_ndcg_rax, [scores], [relevance], offset=1.0)})}


@work("S-NDCG of batches of 8192 items, temperature 0.1", "items of a list", (16, 128), ("sndcg",))
def sndcg_batch(length, t):
    n = 8192
    scores, relevance = some_lists(n, length, t)
    relevance[::length] = 1.0  # no list is without relevance
    shaped = [x.reshape(-1, length) for x in (scores, relevance)]
    return {**our_list(t, "sndcg", n, length, scores, relevance, 0.1), **t.both_torches(smooth_ndcg_torch, shaped[:1], shaped[1:]),
            "JAX": t.jax(smooth_ndcg_jax, shaped[:1], shaped[1:]), "Rax": t.jax(smooth_ndcg_rax, shaped[:1], shaped[1:], offset=1.0)}


@work("RankNet", "items of one list", (128, 1024, QUADRATIC, 32768, 262144, 1000000), ("ranknet",))
def ranknet(n, t):
    scores, relevance = some_lists(n, n, t)

    def in_torch(s, y):
        import torch
        ahead = y[:, None] > y[None, :]
        return torch.where(ahead, torch.nn.functional.softplus(s[None, :] - s[:, None]), 0.0).sum()

    def in_jax(s, y):
        import jax
        import jax.numpy as jnp
        return jnp.where(y[:, None] > y[None, :], jax.nn.softplus(s[None, :] - s[:, None]), 0.0).sum()

    def in_rax(s, y):
        import jax.numpy as jnp
        import rax
        return rax.pairwise_logistic_loss(s, y, reduce_fn=jnp.sum)

    return {**our_list(t, "ranknet", n, n, scores, relevance),
            **up_to(QUADRATIC, n, {**t.both_torches(in_torch, [scores], [relevance]), "JAX": t.jax(in_jax, [scores], [relevance]),
                                   "Rax": t.jax(in_rax, [scores], [relevance])})}


@work("LambdaRank", "items of one list", (128, 1024, QUADRATIC, 32768, 262144, 1000000), ("lambdarank",))
def lambdarank(n, t):
    scores, relevance = some_lists(n, n, t)

    def in_torch(s, y):
        import torch
        gain = torch.exp2(y) - 1
        discounts = 1 / torch.log2(torch.arange(len(s)) + 2.0)
        ideal = (gain.sort(descending=True).values * discounts).sum()
        places = torch.argsort(torch.argsort(s.detach(), descending=True))
        own = discounts[places]
        weights = (gain[:, None] - gain[None, :]).abs() * (own[:, None] - own[None, :]).abs() / ideal
        pairs = torch.nn.functional.softplus(s[None, :] - s[:, None])
        return torch.where(y[:, None] > y[None, :], weights * pairs, 0.0).sum()

    def in_jax(s, y):
        import jax
        import jax.numpy as jnp
        gain = jnp.exp2(y) - 1
        discounts = 1 / jnp.log2(jnp.arange(len(s)) + 2.0)
        ideal = (-jnp.sort(-gain) * discounts).sum()
        own = discounts[jnp.argsort(jnp.argsort(-jax.lax.stop_gradient(s)))]
        weights = jnp.abs(gain[:, None] - gain[None, :]) * jnp.abs(own[:, None] - own[None, :]) / ideal
        return jnp.where(y[:, None] > y[None, :], weights * jax.nn.softplus(s[None, :] - s[:, None]), 0.0).sum()

    return {**our_list(t, "lambdarank", n, n, scores, relevance),
            **up_to(QUADRATIC, n, {**t.both_torches(in_torch, [scores], [relevance]), "JAX": t.jax(in_jax, [scores], [relevance])})}


@work("NeuralNDCG without Sinkhorn (PiRank), temperature 1", "items of one list", (128, 1024, QUADRATIC), ("neural_ndcg",))
def neural_ndcg(n, t):
    scores, relevance = some_lists(n, n, t)

    def in_torch(s, y):
        import torch
        n = len(s)
        apart = (s[:, None] - s[None, :]).abs().sum(1)
        rows = (n - 1 - 2 * torch.arange(n, dtype=s.dtype))[:, None]
        p = (rows * s[None, :] - apart[None, :]).softmax(1)
        gain = torch.exp2(y) - 1
        discounts = torch.log2(torch.arange(n) + 2.0)
        return 1 - ((p @ gain) / discounts).sum() / (gain.sort(descending=True).values / discounts).sum()

    def in_jax(s, y):
        import jax
        import jax.numpy as jnp
        n = len(s)
        apart = jnp.abs(s[:, None] - s[None, :]).sum(1)
        p = jax.nn.softmax((n - 1 - 2 * jnp.arange(n))[:, None] * s[None, :] - apart[None, :], axis=1)
        gain = jnp.exp2(y) - 1
        discounts = jnp.log2(jnp.arange(n) + 2.0)
        return 1 - ((p @ gain) / discounts).sum() / (-jnp.sort(-gain) / discounts).sum()

    return {**our_list(t, "neural_ndcg", n, n, scores, relevance), **t.both_torches(in_torch, [scores], [relevance]),
            "JAX": t.jax(in_jax, [scores], [relevance])}


def booster_data(length, t):
    """Scores and grades of 100 000 items, and how many lists they are."""
    n = 100000 // length * length
    return (n, *some_lists(n, length, t), n // length)


@work("LightGBM's lambdarank", "items of a list, 100 000 in all", (10, 20, 100), ("hosts/lightgbm",), what="gradient and Hessian")
def lightgbm_lambdarank(length, t):
    n, scores, relevance, lists = booster_data(length, t)

    def rounds_of(objective):
        import lightgbm
        # Nothing can be split, so that a round is its gradients and little else.
        options = {"objective": objective, "num_leaves": 2, "min_data_in_leaf": n, "num_threads": t.threads, "verbose": -1,
                   "force_row_wise": True, "max_bin": 15}
        data = lightgbm.Dataset(t.random.normal(size=(n, 1)), relevance, group=[length] * lists, init_score=scores, params=options)
        return lightgbm.Booster(options, data).update

    return {**our_list(t, "lightgbm_lambdarank", n, length, scores, relevance, hessian=True),
            "LightGBM": lambda: answer(rounds_of("lambdarank"), lambda found: (None, None), cold=False, less=rounds_of("regression"))}


@work("XGBoost's rank:ndcg", "items of a list, 100 000 in all", (10, 20, 100), ("hosts/xgboost",), what="gradient and Hessian")
def xgboost_ndcg(length, t):
    n, scores, relevance, lists = booster_data(length, t)

    def rounds_of(objective):
        import xgboost
        options = {"objective": objective, "eta": 0.0, "max_depth": 1, "min_child_weight": 1e30, "nthread": t.threads, "max_bin": 16}
        data = xgboost.QuantileDMatrix(t.random.normal(size=(n, 1)).astype(np.float32), relevance, base_margin=scores, max_bin=16,
                                       nthread=t.threads, group=[length] * lists if objective.startswith("rank") else None)
        booster = xgboost.Booster(options, [data])
        return lambda: booster.update(data, 0)

    return {**our_list(t, "xgboost_ndcg", n, length, scores, relevance, hessian=True),
            "XGBoost": lambda: answer(rounds_of("rank:ndcg"), lambda found: (None, None), cold=False, less=rounds_of("reg:squarederror"))}


# Ranks


def torchsort_ranks(t, scores, cotangent, temperature, kind):
    def function():
        import torch
        import torchsort
        torch.set_num_threads(t.threads)
        s = torch.from_numpy(scores.astype(np.float32)[None, :]).requires_grad_()
        u = torch.from_numpy(cotangent.astype(np.float32)[None, :])

        def run():
            ranks = torchsort.soft_rank(s, regularization=kind, regularization_strength=temperature)
            return ranks, torch.autograd.grad(ranks, s, u)[0]
        return run
    return t.call(function, lambda found: (None, [x.detach().numpy().ravel() for x in found]))


def our_ranks(t, scores, cotangent, n, temperature, entropic):
    return t.ours("peers_projected_ranks", lambda of: (size(t.threads), WIDE, of(scores), of(cotangent), size(n), real(temperature),
                                                           ctypes.c_bool(entropic)),
                  (n, n), value=False, context=False)


@work("Soft ranks by projection, quadratic", "scores, uniform from 0 to their number", (100, 10000, 100000, 1000000),
      ("ranks/projected_ranks", "relaxed_list"), what="ranks and pullback")
def projected_ranks(n, t):
    scores, cotangent = t.random.uniform(0.0, n, n), t.random.normal(size=n)
    return {**our_ranks(t, scores, cotangent, n, 1.0, False), "torchsort": torchsort_ranks(t, scores, cotangent, 1.0, "l2")}


@work("Soft ranks by projection, entropic", "normal scores", (100, 10000, 100000, 1000000),
      ("ranks/projected_ranks", "relaxed_list"), what="ranks and pullback",
      notes={"torchsort": "its gradient adds up exponentials in float one after the other, so that it loses its digits as lists grow."})
def projected_ranks_entropic(n, t):
    scores, cotangent = t.random.normal(size=n), t.random.normal(size=n)
    return {**our_ranks(t, scores, cotangent, n, 1.0, True), "torchsort": torchsort_ranks(t, scores, cotangent, 1.0, "kl")}


@work("Ranks by sorting", "scores", (1000, 10000, 100000, 1000000), ("ranks/hard_ranks",), what="ranks")
def hard_ranks(n, t):
    scores = t.random.normal(size=n).astype(np.float32).astype(np.float64)

    def in_numpy():
        minus, ranks, all_ranks = -scores.astype(np.float32), np.empty(n, np.float32), np.arange(1, n + 1, dtype=np.float32)

        def run():
            ranks[np.argsort(minus, kind="stable")] = all_ranks
            return ranks
        return run

    def in_torch():
        import torch
        torch.set_num_threads(t.threads)
        s, ranks, all_ranks = torch.from_numpy(scores.astype(np.float32)), torch.empty(n), torch.arange(1, n + 1, dtype=torch.float32)

        def run():
            ranks[torch.argsort(s, descending=True, stable=True)] = all_ranks
            return ranks
        return run

    def read(found):
        return None, [np.array(found)]
    return {**t.ours("peers_hard_ranks", lambda of: (WIDE, of(scores), size(n)), (n,), value=False), "NumPy": t.call(in_numpy, read),
            "PyTorch": t.call(in_torch, read)}


# Metrics


@work("NDCG@10", "lists of 100", (100, 1000, 10000), ("metrics/ndcg",), what="value")
def ndcg(lists, t):
    n = lists * 100
    scores, relevance = some_lists(n, 100, t)
    relevance[::100] = 1.0

    def in_numpy():
        s, y = (x.reshape(-1, 100).astype(np.float32) for x in (scores, relevance))
        discounts = 1 / np.log2(np.arange(10, dtype=np.float32) + 2)

        def dcg(grades):
            return ((np.exp2(grades) - 1) * discounts).sum(1)

        def run():
            first = np.take_along_axis(y, np.argsort(-s, axis=1)[:, :10], 1)
            return (dcg(first) / dcg(-np.sort(-y, axis=1)[:, :10])).mean()
        return run

    def in_rax():
        import jax
        import jax.numpy as jnp
        import rax
        s, y = (jnp.asarray(x.reshape(-1, 100), jnp.float32) for x in (scores, relevance))
        run = jax.jit(lambda s, y: rax.ndcg_metric(s, y, topn=10))
        return lambda: jax.block_until_ready(run(s, y))

    def read(found):
        return float(found), None
    null = ctypes.c_void_p(None)
    return {**t.ours("peers_metrics", lambda of: (WIDE, of(scores), of(relevance), size(n), size(100), size(10), ctypes.c_bool(False), null),
                     ()),
            "NumPy": t.call(in_numpy, read), "Rax": t.call(in_rax, read)}


@work("NDCG@10 with linear gains and average precision", "lists of 100", (100, 1000),
      ("metrics/ndcg", "metrics/average_precision", "metrics/together"), what="values")
def trec_metrics(lists, t):
    n = lists * 100
    scores, relevance = some_lists(n, 100, t)
    relevance[::100] = 1.0
    scores = scores.astype(np.float32).astype(np.float64)
    precision = np.empty(1)

    def in_trec_eval():
        import pytrec_eval
        s, y = scores.reshape(-1, 100), relevance.reshape(-1, 100).astype(int)
        run = {str(q): {str(i): float(v) for i, v in enumerate(row)} for q, row in enumerate(s)}
        judged = {str(q): {str(i): int(v) for i, v in enumerate(row)} for q, row in enumerate(y)}
        evaluator = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut.10", "map"})
        return lambda: evaluator.evaluate(run)

    def read_trec_eval(found):
        return [float(np.mean([of[name] for of in found.values()])) for name in ("ndcg_cut_10", "map")], None

    made = t.ours("peers_metrics", lambda of: (WIDE, of(scores), of(relevance), size(n), size(100), size(10), ctypes.c_bool(True),
                                               int64(precision)), ())

    def with_precision(prepare):
        def prepared():
            of = prepare()
            return answer(of.run, lambda found: ([found, float(precision[0])], None), of.cold)
        return prepared
    return {**{name: with_precision(prepare) for name, prepare in made.items()}, "pytrec_eval": t.call(in_trec_eval, read_trec_eval)}


# Matrices and embeddings


@work("Contrastive loss of a similarity matrix, both ways", "rows and columns", (128, 1024, 4096), ("bidirectional", "softmax_cross_entropy"))
def contrastive(n, t):
    similarity = t.random.normal(0.0, 0.1, (n, n)).astype(np.float32)

    def in_torch(s):
        import torch
        s, labels = s / 0.07, torch.arange(s.shape[0])
        return (torch.nn.functional.cross_entropy(s, labels) + torch.nn.functional.cross_entropy(s.T, labels)) / 2

    def in_jax(s):
        import jax
        import jax.numpy as jnp
        s = s / 0.07
        return -(jnp.diag(jax.nn.log_softmax(s, 1)).mean() + jnp.diag(jax.nn.log_softmax(s, 0)).mean()) / 2

    null = ctypes.c_void_p(None)
    return {**t.ours("peers_matrix", lambda of: (b"info_nce", WIDE, of(similarity), null, size(n), real(0.07)), (n * n,)),
            **t.both_torches(in_torch, [similarity]), "JAX": t.jax(in_jax, [similarity])}


@work("Triplet loss of a similarity matrix, hardest negatives, both ways", "rows and columns", (128, 1024, 4096), ("bidirectional", "triplet"))
def triplet(n, t):
    similarity = t.random.normal(0.0, 0.1, (n, n)).astype(np.float32)

    def in_torch(s):
        import torch
        positive = s.diagonal()
        negative = s.masked_fill(torch.eye(s.shape[0], dtype=torch.bool), -torch.inf)
        rows = (0.2 - positive + negative.amax(1)).clamp(min=0).mean()
        return (rows + (0.2 - positive + negative.amax(0)).clamp(min=0).mean()) / 2

    def in_jax(s):
        import jax.numpy as jnp
        positive = jnp.diag(s)
        negative = jnp.where(jnp.eye(len(s), dtype=bool), -jnp.inf, s)
        rows = jnp.maximum(0.2 - positive + negative.max(1), 0).mean()
        return (rows + jnp.maximum(0.2 - positive + negative.max(0), 0).mean()) / 2

    null = ctypes.c_void_p(None)
    return {**t.ours("peers_matrix", lambda of: (b"triplet", WIDE, of(similarity), null, size(n), real(1.0)), (n * n,)),
            **t.both_torches(in_torch, [similarity]), "JAX": t.jax(in_jax, [similarity])}


@work("S-NDCG of a similarity matrix, both ways, temperature 0.01", "rows and columns", (32, 128, 256), ("bidirectional", "sndcg"))
def bidirectional_sndcg(n, t):
    similarity, relevance = t.random.normal(0.0, 0.1, (n, n)).astype(np.float32), t.random.uniform(size=(n, n)).astype(np.float32)
    np.fill_diagonal(relevance, 1.0)

    def in_torch(s, y):
        return (smooth_ndcg_torch(s * 10, y) + smooth_ndcg_torch(s.T * 10, y.T)) / 2

    def in_jax(s, y):
        return (smooth_ndcg_jax(s * 10, y) + smooth_ndcg_jax(s.T * 10, y.T)) / 2

    return {**t.ours("peers_matrix", lambda of: (b"bidirectional_sndcg", WIDE, of(similarity), of(relevance), size(n), real(0.01)), (n * n,)),
            **t.both_torches(in_torch, [similarity], [relevance]), "JAX": t.jax(in_jax, [similarity], [relevance])}


def our_embeddings(t, name, x, y, classes, temperature):
    rows, dimension = x.shape
    null = ctypes.c_void_p(None)
    return t.ours("peers_embeddings",
                  lambda of: (name, WIDE, of(x), null if y is None else of(y), null if classes is None else int64(classes), size(rows),
                              size(dimension), real(temperature)), (x.size, 0 if y is None else x.size))


@work("InfoNCE of pairs of embeddings of 256 numbers", "pairs", (256, 1024, 4096), ("embedding_batch", "info_nce"))
def info_nce_embeddings(n, t):
    x, y = (t.random.normal(size=(n, 256)).astype(np.float32) for _ in range(2))

    def in_torch(x, y):
        import torch
        f = torch.nn.functional
        s, labels = f.normalize(x) @ f.normalize(y).T / 0.07, torch.arange(len(x))
        return (f.cross_entropy(s, labels) + f.cross_entropy(s.T, labels)) / 2

    def in_jax(x, y):
        import jax
        import jax.numpy as jnp
        x, y = (v / jnp.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))
        s = x @ y.T / 0.07
        return -(jnp.diag(jax.nn.log_softmax(s, 1)).mean() + jnp.diag(jax.nn.log_softmax(s, 0)).mean()) / 2

    return {**our_embeddings(t, b"info_nce", x, y, None, 0.07), **t.both_torches(in_torch, [x, y]), "JAX": t.jax(in_jax, [x, y])}


@work("SigLIP of pairs of embeddings of 256 numbers", "pairs", (256, 1024, 4096), ("embedding_batch", "siglip"))
def siglip_embeddings(n, t):
    x, y = (t.random.normal(size=(n, 256)).astype(np.float32) for _ in range(2))

    def in_torch(x, y):
        import torch
        f = torch.nn.functional
        signs = 2 * torch.eye(len(x)) - 1
        return -f.logsigmoid(signs * (f.normalize(x) @ f.normalize(y).T / 0.1 - 10)).sum() / len(x)

    def in_jax(x, y):
        import jax
        import jax.numpy as jnp
        x, y = (v / jnp.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))
        return -jax.nn.log_sigmoid((2 * jnp.eye(len(x)) - 1) * (x @ y.T / 0.1 - 10)).sum() / len(x)

    return {**our_embeddings(t, b"siglip", x, y, None, 0.1), **t.both_torches(in_torch, [x, y]), "JAX": t.jax(in_jax, [x, y])}


def metric_learning(t, make, x, classes):
    def function():
        import torch
        from pytorch_metric_learning import losses
        torch.set_num_threads(t.threads)
        loss = make(losses)
        of, labels = torch.from_numpy(x).requires_grad_(), torch.from_numpy(classes)

        def run():
            found = loss(of, labels)
            return found, torch.autograd.grad(found, of)[0]
        return run
    return t.call(function, lambda found: (float(found[0].detach()), [found[1].numpy().ravel()]))


def classed(t, classes, of_each):
    labels = np.repeat(np.arange(classes), of_each)
    return t.random.normal(size=(labels.size, 64)).astype(np.float32), labels


@work("Smooth-AP of embeddings of 64 numbers, as many classes as items of a class", "items", (64, 256, 1024),
      ("embedding_batch", "smooth_ap", "conventions/pytorch_metric_learning"))
def smooth_ap(n, t):
    x, classes = classed(t, int(n**0.5), int(n**0.5))
    return {**our_embeddings(t, b"smooth_ap", x, None, classes, 0.01),
                          **up_to(256, n, {"PyTorch Metric Learning": metric_learning(t, lambda l: l.SmoothAPLoss(0.01), x, classes)})}


@work("Smooth-AP of embeddings of 64 numbers, classes of four items", "items", (64, 256),
      ("embedding_batch", "smooth_ap", "conventions/pytorch_metric_learning"),
      notes={"PyTorch Metric Learning": "its SmoothAPLoss takes the number of classes for that of the items of a class, so that it computes something else "
                                        "unless these are equal."})
def smooth_ap_of_fours(n, t):
    x, classes = classed(t, n // 4, 4)
    return {**our_embeddings(t, b"smooth_ap", x, None, classes, 0.01),
                          "PyTorch Metric Learning": metric_learning(t, lambda l: l.SmoothAPLoss(0.01), x, classes)}


@work("Multi-similarity loss of embeddings of 64 numbers, classes of four items", "items", (64, 256, 1024),
      ("embedding_batch", "multi_similarity", "conventions/pytorch_metric_learning"))
def multi_similarity(n, t):
    x, classes = classed(t, n // 4, 4)
    return {**our_embeddings(t, b"multi_similarity", x, None, classes, 1.0),
                          "PyTorch Metric Learning": metric_learning(t, lambda l: l.MultiSimilarityLoss(), x, classes)}


# Preferences


@work("Bradley-Terry of random pairs of as many items", "pairs", (1000, 10000, 100000, 1000000), ("bradley_terry", "preference_batch"))
def bradley_terry(n, t):
    rewards = t.random.normal(size=n)
    preferred = t.random.integers(0, n, n)
    other = (preferred + t.random.integers(1, n, n)) % n

    def in_torch(r, preferred, other):
        import torch
        return -torch.nn.functional.logsigmoid(r[preferred] - r[other]).mean()

    def in_jax(r, preferred, other):
        import jax
        return -jax.nn.log_sigmoid(r[preferred] - r[other]).mean()

    return {**t.ours("peers_bradley_terry", lambda of: (WIDE, of(rewards), size(n), int64(preferred), int64(other), size(n)), (n,)),
            **t.both_torches(in_torch, [rewards], [preferred, other]), "JAX": t.jax(in_jax, [rewards], [preferred, other])}
