# SPDX-License-Identifier: Apache-2.0
"""Who takes part. A new contestant is a line here."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Variant:
    name: str
    side: str                                   # "ours", or the module of this folder that runs it
    rule: str = ""                              # what its gradients must equal: "bptt", "ottt"; "": nothing
    sets: tuple = ()                            # ours: assignments to the recipe
    options: dict = field(default_factory=dict)     # others: see torch_side.py
    quick: bool = False                         # takes part in --quick


# OTTT as its authors and SpikingJelly do it: no trace in front of the first layer and for biases, the
# neurons' leak in front of the head.
OTTT = "rule={name: ottt_a, bias_trace: plain, first_layer_trace: false, head_trace: 0.5}"
FINAL = ("loss.when=final", "net.layers.readout.kind=leaky")
# At most a fifth of the errors are not zero, where no batch norm spreads them.
COMPACT = ("neuron.surrogate={name: rectangle, width: 0.8}",)
HALF = ("train.precision=bf16",)
SLTT_K = "rule={name: sltt_k, K: 1}"

OURS = (
    Variant("hillock bptt", "ours", "bptt", ("rule=bptt",), quick=True),
    Variant("hillock ottt", "ours", "ottt", (OTTT,), quick=True),
    Variant("hillock stop", "ours", "", ("rule=stop",), quick=True),
    Variant("hillock stop, bf16", "ours", "", ("rule=stop", *HALF)),
    Variant("hillock stop, bf16 with its traces", "ours", "", ("rule={name: stop, traces: bf16}", *HALF)),
    Variant("hillock stop, compact", "ours", "", ("rule=stop", *COMPACT)),
    Variant("hillock stop, last step", "ours", "", ("rule=stop", *FINAL)),
    Variant("hillock stop, last step, bf16", "ours", "", ("rule=stop", *FINAL, *HALF)),
    Variant("hillock stop, last step, compact", "ours", "", ("rule=stop", *FINAL, *COMPACT)),
    Variant("hillock sltt-k 1", "ours", "", (SLTT_K,)),
    Variant("hillock sltt-k 1, bf16", "ours", "", (SLTT_K, *HALF)),
    Variant("hillock sltt-k 1, compact", "ours", "", (SLTT_K, *COMPACT)),
)

COMPILED, BF16 = {"compile": True}, {"bf16": True}
UNROLLED = 16        # steps up to which torch.compile takes part

PEERS = (
    Variant("pytorch bptt, eager", "plain_bptt", "bptt", quick=True),
    Variant("pytorch bptt", "plain_bptt", "bptt", options=COMPILED),
    Variant("pytorch bptt, bf16", "plain_bptt", "bptt", options={**COMPILED, **BF16}),
    Variant("pytorch ottt, eager", "plain_ottt", "ottt", quick=True),
    Variant("pytorch ottt", "plain_ottt", "ottt", options=COMPILED),
    Variant("pytorch ottt, bf16", "plain_ottt", "ottt", options={**COMPILED, **BF16}),
    Variant("spikingjelly bptt, eager", "spikingjelly_net", "bptt", quick=True),
    Variant("spikingjelly bptt", "spikingjelly_net", "bptt", options=COMPILED),
    Variant("spikingjelly bptt, bf16", "spikingjelly_net", "bptt", options={**COMPILED, **BF16}),
    Variant("spikingjelly ottt", "spikingjelly_net", "ottt", quick=True),
    Variant("spikingjelly ottt, bf16", "spikingjelly_net", "ottt", options=BF16),
    Variant("snntorch bptt, eager", "snntorch_net", "bptt", quick=True),
    Variant("snntorch bptt", "snntorch_net", "bptt", options=COMPILED),
    Variant("snntorch bptt, bf16", "snntorch_net", "bptt", options={**COMPILED, **BF16}),
)

ALL = OURS + PEERS

INFER = (
    Variant("hillock", "ours", quick=True),
    Variant("hillock, layer by layer", "ours", sets=("train.layer_major=true",), quick=True),
    Variant("pytorch, eager", "plain_bptt", quick=True),
    Variant("pytorch, frozen and compiled", "plain_bptt", options=COMPILED),
    Variant("spikingjelly, eager", "spikingjelly_net", quick=True),
    Variant("spikingjelly, compiled", "spikingjelly_net", options=COMPILED),
)
