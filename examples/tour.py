"""The Python side in one minute: load a spec, look at it, run it, export it.

python examples/tour.py
"""

from pathlib import Path

import torch

import netspec

model = netspec.load(Path(__file__).with_name("residual.yaml"), width=16, classes=7)
table = model.shapes()
print(table)

heaviest = max(table, key=lambda row: row.macs)
print(f"\nheaviest layer: {heaviest.path}, {heaviest.macs:,} of {table.macs:,} MACs")

net = model.module(seed=0)  # an nn.Module like any other: train it, compile it, shard it
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
images, labels = torch.randn(8, 3, 32, 32), torch.randint(7, (8,))
for step in range(3):
    loss = torch.nn.functional.cross_entropy(net(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.3f}")

folder = Path("build/tour")
print("wrote", model.export(folder / "residual.onnx", net))  # with the trained weights
print("wrote", model.diagram(folder / "residual.dot"))
print("wrote", model.explorer(folder / "residual.html"))  # one page, to open in a browser
