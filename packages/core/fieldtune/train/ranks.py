"""AdaLoRA in training: which ranks of which matrices are kept, decided anew as it goes (Zhang et al. 2023, 2303.10512).

PEFT brings the layers, the importance of a rank and the threshold; nothing calls them by itself. Here are the schedule
over the planned steps, the penalty scaled like the loss, and a state that checkpoints hold.
"""

import dataclasses
from typing import Any

import torch
from torch import nn

from fieldtune.models.adapters import adapter_of
from fieldtune.train.problem import Problem, Tensors

_PENALTY = 0.1  # weight of the orthogonality term, per optimizer step
_WARM, _SETTLED = 10, 3  # all ranks live in the first tenth of the steps; in the last third nothing is decided any more


def adaptive(module: nn.Module, steps: int) -> "Ranks | None":
    """The ranks to adapt over a run of ``steps`` optimizer steps, where a body inside ``module`` is tuned by AdaLoRA.

    They become a child of that body, so that their state is saved and loaded with its weights.
    """
    for body in module.modules():
        adapter = adapter_of(body)
        if adapter and adapter.method == "adalora" and not adapter.tensors:
            body.fieldtune_ranks = ranks = Ranks(body, steps)
            return ranks
    return None


class Ranks(nn.Module):
    """Importance of every rank so far, and which of them are kept; all of it buffers.

    Attributes:
        last: the step after which the kept ranks stay as they are.
    """

    def __init__(self, body: Any, steps: int) -> None:
        from peft.tuners.adalora.layer import RankAllocator

        make: Any = RankAllocator
        super().__init__()
        settled = steps // _SETTLED
        schedule = {"total_step": steps, "tinit": steps // _WARM, "tfinal": settled, "deltaT": max(1, steps // 100)}
        config = dataclasses.replace(body.peft_config["default"], **schedule)
        self.last = steps - settled
        # Not children: the body is this module's parent.
        self.__dict__["_body"], self.__dict__["_allocator"] = body, make(body, config, "default")
        self._tuned = {name: weight for name, weight in body.named_parameters() if weight.requires_grad}
        for place, (name, weight) in enumerate(self._tuned.items()):
            for kind in ("mean", "spread"):
                self.register_buffer(f"{kind}_{place}", torch.zeros_like(weight))
            if "lora_E" in name:
                self.register_buffer(f"kept_{place}", torch.ones_like(weight))

    @property
    def _kept(self) -> dict[str, torch.Tensor]:
        """Which ranks of each matrix are kept, by the name of its singular values: 1 or 0, ``[ranks, 1]``."""
        names = enumerate(self._tuned)
        return {name: self.get_buffer(f"kept_{place}") for place, name in names if "lora_E" in name}

    def penalised(self, problem: Problem) -> Problem:
        """The same problem with the orthogonality term, which counts once a step however many batches make the step."""

        def loss(module: nn.Module, batch: Tensors) -> torch.Tensor:
            return problem.loss(module, batch) + _PENALTY * problem.items(batch) * self.penalty()

        return dataclasses.replace(problem, loss=loss)

    def penalty(self) -> torch.Tensor:
        """Mean over the factors of how far each is from orthogonal: the Frobenius norm of the Gram matrix minus one."""
        grams = [weight @ weight.T for name, weight in self._tuned.items() if "lora_A" in name]
        grams += [weight.T @ weight for name, weight in self._tuned.items() if "lora_B" in name]
        return torch.stack([torch.linalg.norm(gram - torch.eye(len(gram)).to(gram)) for gram in grams]).mean()

    def step(self, number: int) -> None:
        """After optimizer step ``number`` (from one) and before its gradients go: weigh the ranks, drop the least."""
        if number <= self.last:
            self._weigh()
        budget, due = self._allocator.budget_schedule(number)
        if number == self.last or (number < self.last and due):
            kept = self._allocator.mask_to_budget(self._body, budget)
            for name, buffer in self._kept.items():
                buffer.copy_(torch.tensor(kept[name]).unsqueeze(1))
        elif number > self.last:
            with torch.no_grad():
                for name, buffer in self._kept.items():
                    self._tuned[name].mul_(buffer)

    def leave(self) -> None:
        """Training is over: the body goes on without this."""
        del self._body.fieldtune_ranks

    def _weigh(self) -> None:
        """Let PEFT update its running means, which live in our buffers."""
        allocator = self._allocator
        for place, name in enumerate(self._tuned):
            allocator.ipt[name] = None
            allocator.exp_avg_ipt[name] = self.get_buffer(f"mean_{place}")
            allocator.exp_avg_unc[name] = self.get_buffer(f"spread_{place}")
        allocator.update_ipt(self._body)
        for place, name in enumerate(self._tuned):
            self.get_buffer(f"mean_{place}").copy_(allocator.exp_avg_ipt[name])
            self.get_buffer(f"spread_{place}").copy_(allocator.exp_avg_unc[name])
