# SPDX-License-Identifier: BSL-1.0
"""Tests of rankloss_torch.py: against torch's own formulas and by finite differences. `python test_torch.py [TEST...]`; with a GPU on it, too."""
import os
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

try:
    import torch
except ImportError:
    print("skipped: no torch")
    sys.exit(0)

from rankloss_torch import EmbeddingLoss, ListLoss  # noqa: E402

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])


def numbers(*shape, seed=1, dtype=torch.float64, device="cpu"):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype).to(device)


def cross_entropy(scores, relevance):
    """Of one list, by torch."""
    return -(relevance / relevance.sum() * torch.log_softmax(scores, -1)).sum(-1)


class Case(unittest.TestCase):
    def close(self, a, b, bound=1e-12):
        self.assertEqual(a.shape, b.shape)
        self.assertLessEqual(float((a - b).detach().abs().max()), bound * max(1.0, float(b.detach().abs().max())))


class Lists(Case):
    loss = ListLoss("softmax_cross_entropy{.temperature = t}", t=1.0)

    def test_value_and_gradient_are_those_of_torch(self):
        for device in DEVICES:
            for dtype, bound in ((torch.float64, 1e-12), (torch.float32, 2e-6)):
                scores = numbers(5, 7, dtype=dtype, device=device).requires_grad_()
                relevance = (numbers(5, 7, seed=2, device=device) > 0).to(dtype) + 0.5
                value = self.loss(scores, relevance)
                (3.0 * value).backward()
                self.assertEqual((value.dtype, value.shape, value.device), (dtype, (), scores.device))
                again = scores.detach().double().requires_grad_()
                expected = sum(cross_entropy(s, y) for s, y in zip(again, relevance.double())) / 5
                (3.0 * expected).backward()
                self.close(value.double(), expected, bound)
                self.close(scores.grad.double(), again.grad, bound)

    def test_layouts_agree(self):
        for device in DEVICES:
            scores, relevance = numbers(4, 6, device=device), numbers(4, 6, seed=2, device=device).abs()
            lengths = torch.tensor([6, 2, 0, 3], device=device)
            mask = torch.arange(6, device=device) < lengths[:, None]
            offsets = torch.tensor([0, 6, 8, 8, 11], device=device)
            one = scores.clone().requires_grad_()
            a = self.loss(one, relevance, lengths=lengths)
            a.backward()
            two = scores.clone().requires_grad_()
            b = self.loss(two, relevance, mask=mask)
            b.backward()
            three = scores[mask].clone().requires_grad_()
            c = self.loss(three, relevance[mask], offsets=offsets, longest=6)
            c.backward()
            self.close(a, b)
            self.close(a, c)
            self.close(one.grad, two.grad)
            self.close(one.grad[mask], three.grad)
            self.assertEqual(float(one.grad[~mask].abs().sum()), 0.0)
            # Strides of any kind, and more leading dimensions.
            self.close(self.loss(scores.t().contiguous().t(), relevance, lengths=lengths), a)
            self.close(self.loss(scores.reshape(2, 2, 6), relevance.reshape(2, 2, 6), lengths=lengths.reshape(2, 2)), a)

    def test_a_value_for_each_list(self):
        each = ListLoss("softmax_cross_entropy{}", reduction="none")
        weights = torch.tensor([1.0, 0.0, 2.5])
        scores, relevance = numbers(3, 4), numbers(3, 4, seed=3).abs()
        for layout in ({}, {"offsets": torch.tensor([0, 4, 8, 12])}):
            flat = (lambda t: t.reshape(-1)) if layout else (lambda t: t)
            one, two = scores.clone().requires_grad_(), scores.clone().requires_grad_()
            upstream = torch.tensor([2.0, 3.0, -1.0], dtype=torch.float64)
            values = each(flat(one), flat(relevance), list_weights=weights, **layout)
            self.assertEqual(values.shape, (3,))
            (values * upstream).sum().backward()
            expected = sum(w * u * cross_entropy(s, y) for w, u, s, y in zip(weights, upstream, two, relevance))
            expected.backward()
            self.close((values * upstream).sum(), expected)
            self.close(one.grad, two.grad)
        one_list = each(scores[0], relevance[0])
        self.assertEqual(one_list.shape, ())

    def test_gradients_by_finite_differences(self):
        relevance = torch.tensor([[0.0, 2, 1, 0, 3], [1, 0, 0, 0, 1]], dtype=torch.float64)
        for expression in ("sndcg{.temperature = t}", "ranknet{}", "neural_ndcg{.temperature = t}"):
            loss = ListLoss(expression, t=0.4)
            self.assertTrue(torch.autograd.gradcheck(lambda s: loss(s, relevance), numbers(2, 5).requires_grad_(), eps=1e-6, atol=1e-6))

    def test_halves_are_computed_as_floats(self):
        scores = numbers(3, 5, dtype=torch.bfloat16).requires_grad_()
        relevance = torch.randint(0, 3, (3, 5), generator=torch.Generator().manual_seed(0))
        value = self.loss(scores, relevance)
        value.backward()
        again = scores.detach().float().requires_grad_()
        other = self.loss(again, relevance)
        other.backward()
        self.assertEqual((value.dtype, scores.grad.dtype), (torch.float32, torch.bfloat16))
        self.close(value, other, 0.0)
        self.close(scores.grad.float(), again.grad, 1e-2)

    def test_numbers_change_without_compiling(self):
        loss = ListLoss("softmax_cross_entropy{.temperature = t}", t=1.0)
        scores, relevance = numbers(3, 5), numbers(3, 5, seed=2).abs()
        before = loss(2.0 * scores, relevance)
        loss.numbers["t"] = 0.5
        self.close(loss(scores, relevance), before)

    def test_without_a_gradient(self):
        scores = numbers(2, 3).requires_grad_()
        with torch.no_grad():
            self.assertFalse(self.loss(scores, torch.ones(2, 3)).requires_grad)
        ndcg = ListLoss("metrics::ndcg{.cutoff = k}", k=10)
        value = ndcg(torch.tensor([3.0, 2.0, 1.0]).requires_grad_(), torch.tensor([2, 1, 0]))
        self.assertEqual((float(value), value.requires_grad), (1.0, False))

    @unittest.skipUnless("cuda" in DEVICES, "no GPU")
    def test_captured_into_a_graph(self):
        stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        scores, relevance = numbers(4, 50, device="cuda").requires_grad_(), numbers(4, 50, seed=2, device="cuda").abs()
        with torch.cuda.stream(stream):
            expected = self.loss(scores, relevance)  # the context of this stream takes its scratch here
            by_scores, = torch.autograd.grad(expected, scores)
        stream.synchronize()
        with torch.cuda.graph(graph, stream=stream):
            value = self.loss(scores, relevance)
            gradient, = torch.autograd.grad(value, scores)
        graph.replay()
        torch.cuda.synchronize()
        self.assertTrue(torch.equal(value, expected) and torch.equal(gradient, by_scores))

    @unittest.skipUnless("cuda" in DEVICES, "no GPU")
    def test_bad_numbers_on_a_device(self):
        scores = torch.tensor([0.0, float("nan")], device="cuda")
        self.assertTrue(self.loss(scores, torch.ones(2, device="cuda")).isnan())
        with self.assertRaisesRegex(ValueError, "scores: nan at list 0, item 1"):
            self.loss.check("cuda")

    def test_complaints(self):
        scores, relevance = numbers(2, 3), torch.ones(2, 3)
        for error, words, call in (
                (ValueError, "temperature: -1, expected", lambda: ListLoss("softmax_cross_entropy{.temperature = t}", t=-1.0)(scores, relevance)),
                (ValueError, r"relevance: shape \(2, 2\), expected \(2, 3\)", lambda: self.loss(scores, relevance[:, :2])),
                (ValueError, "scores: nan at list 0, item 0", lambda: self.loss(scores * float("nan"), relevance)),
                (ValueError, "offsets", lambda: self.loss(scores.reshape(-1), relevance.reshape(-1), offsets=torch.tensor([0, 3, 7]))),
                (ValueError, "relevance: it requires a gradient", lambda: self.loss(scores, torch.ones(2, 3, requires_grad=True))),
                (ValueError, "lengths: given with scores of one", lambda: self.loss(scores[0], relevance[0], lengths=torch.tensor(2))),
                (ValueError, "longest: 1, expected a bound", lambda: self.loss(scores[0], relevance[0], offsets=torch.tensor([0, 3]), longest=1)),
                (TypeError, "offsets: list, expected a tensor", lambda: self.loss(scores[0], relevance[0], offsets=[0, 3])),
                (TypeError, "t: '1', expected a number", lambda: ListLoss("sndcg{}", t="1")),
                (ValueError, "reduction: 'median', expected one of mean", lambda: ListLoss("sndcg{}", reduction="median")),
                (ValueError, "does not compile: .*sndgc", lambda: ListLoss("sndgc{}")(scores, relevance)),
                (TypeError, "lengths: torch.float32, expected whole", lambda: self.loss(scores, relevance, lengths=torch.ones(2))),
                (TypeError, "scores: torch.int64 of shape", lambda: self.loss(torch.ones(2, 3, dtype=torch.int64), relevance))):
            with self.subTest(words), self.assertRaisesRegex(error, words):
                call()

    def test_second_derivatives_are_refused_and_others_are_not(self):
        scores, relevance = numbers(2, 3).requires_grad_(), torch.ones(2, 3)
        gradient, = torch.autograd.grad(self.loss(scores, relevance) + (scores**3).sum(), scores, create_graph=True)
        with self.assertRaisesRegex(RuntimeError, "no second derivatives"):
            gradient.sum().backward()
        other = numbers(2, 3, seed=2).requires_grad_()
        torch.autograd.grad(self.loss(scores, relevance), scores, create_graph=True)
        by_other, = torch.autograd.grad((other**2).sum(), other, create_graph=True)
        by_other.sum().backward()

    def test_inputs_that_change_after_the_call(self):
        each = ListLoss("softmax_cross_entropy{}", reduction="none")
        scores, offsets = numbers(6).requires_grad_(), torch.tensor([0, 2, 6])
        work = scores * 1.0
        values = each(work, torch.ones(6), offsets=offsets)
        offsets.copy_(torch.tensor([0, 6, 6]))
        work.detach().zero_()
        values[0].backward()
        self.assertEqual([bool(g) for g in scores.grad], [True, True, False, False, False, False])

    def test_lists_without_items(self):
        each = ListLoss("softmax_cross_entropy{}", reduction="none")
        self.assertEqual(each(torch.zeros(3, 0), torch.ones(3, 0), list_weights=torch.ones(3)).tolist(), [0.0] * 3)
        self.assertEqual(each(torch.zeros(0, 4), torch.ones(0, 4)).shape, (0,))
        self.assertEqual(float(self.loss(torch.zeros(0), torch.ones(0))), 0.0)

    def test_views_and_tensors_without_memory(self):
        scores, relevance = numbers(2, 3), torch.tensor([[1.0, 0.0, 2.0]])
        expected = self.loss(-scores, relevance.repeat(2, 1))
        self.close(self.loss(torch._neg_view(scores), relevance.expand(2, 3)), expected, 0.0)
        gone = numbers(2, 3)
        gone.untyped_storage().resize_(0)
        with self.assertRaisesRegex(ValueError, "scores: it has a shape and no memory"):
            self.loss(gone, relevance.expand(2, 3))
        with self.assertRaisesRegex(TypeError, "relevance: torch.sparse_coo"):
            self.loss(scores, relevance.expand(2, 3).to_sparse())

    def test_in_a_process_that_is_forked_off(self):
        threads = torch.get_num_threads()
        value = self.loss(numbers(40, 60), torch.ones(40, 60))
        child = os.fork()
        if child == 0:
            torch.set_num_threads(1)
            ok = torch.equal(self.loss(numbers(40, 60), torch.ones(40, 60)), value)
            sys.stdout.flush()
            os._exit(0 if ok else 1)
        for _ in range(100):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            time.sleep(0.1)
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            self.fail("the child waits for ever")
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        self.assertEqual(torch.get_num_threads(), threads)


class Embeddings(Case):
    loss = EmbeddingLoss("info_nce{}")

    @staticmethod
    def expected(x, y, temperature):
        s = torch.nn.functional.normalize(x) @ torch.nn.functional.normalize(y).t() / temperature
        target = torch.arange(len(x), device=x.device)
        return (torch.nn.functional.cross_entropy(s, target) + torch.nn.functional.cross_entropy(s.t(), target)) / 2

    def test_value_and_gradients_are_those_of_torch(self):
        for device in DEVICES:
            for dtype, bound in ((torch.float64, 1e-11), (torch.float32, 1e-5)):
                inputs = [numbers(9, 5, dtype=dtype, device=device), numbers(9, 5, seed=2, dtype=dtype, device=device),
                          torch.tensor(0.3, dtype=dtype, device=device)]
                ours = [t.clone().requires_grad_() for t in inputs]
                value = self.loss(ours[0], ours[1], temperature=ours[2])
                (2.0 * value).backward()
                theirs = [t.clone().double().requires_grad_() for t in inputs]
                other = self.expected(*theirs)
                (2.0 * other).backward()
                self.close(value.double(), other, bound)
                for a, b in zip(ours, theirs):
                    self.assertEqual(a.grad.dtype, dtype)
                    self.close(a.grad.double(), b.grad, bound)

    def test_halves(self):
        for dtype in (torch.float16, torch.bfloat16):
            x, y = numbers(6, 8, dtype=dtype).requires_grad_(), numbers(6, 8, seed=2, dtype=dtype)
            value = self.loss(x, y, temperature=0.5)
            value.backward()
            again = x.detach().float().requires_grad_()
            other = self.loss(again, y.float(), temperature=0.5)
            other.backward()
            self.assertEqual((value.dtype, x.grad.dtype), (torch.float32, dtype))
            self.close(value, other, 1e-6)
            self.close(x.grad.float(), again.grad, 1e-2)

    def test_a_bias_and_classes(self):
        loss = EmbeddingLoss("siglip{}")
        classes = torch.tensor([0, 1, 1, 2])

        def value(x, temperature, bias):
            return loss(x, temperature=temperature, bias=bias, row_classes=classes, without_diagonal=True)

        inputs = (numbers(4, 3).requires_grad_(), torch.tensor(0.4, dtype=torch.float64).requires_grad_(),
                  torch.tensor([-1.0], dtype=torch.float64).requires_grad_())
        self.assertTrue(torch.autograd.gradcheck(value, inputs, eps=1e-6, atol=1e-6))

    def test_complaints(self):
        x = numbers(3, 4)
        for error, words, call in (
                (ValueError, "y: ", lambda: self.loss(x, numbers(3, 5))),
                (ValueError, "y: no columns", lambda: self.loss(x, numbers(0, 4))),
                (ValueError, "temperature: nan, expected", lambda: self.loss(x, x, temperature=float("nan"))),
                (ValueError, "temperature: torch.float32 of shape", lambda: self.loss(x, x, temperature=torch.ones(2))),
                (ValueError, "bias: this loss has none", lambda: self.loss(x, x, bias=1.0)),
                (ValueError, "matches: shape", lambda: self.loss(x, x, matches=torch.ones(2, 3)))):
            with self.subTest(words), self.assertRaisesRegex(error, words):
                call()


if __name__ == "__main__":
    torch.set_num_threads(2)
    print(f"torch {torch.__version__}, {', '.join(DEVICES)}", flush=True)
    unittest.main(verbosity=2)
