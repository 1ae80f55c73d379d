"""A network of netspec's in a loop of one's own, saved and loaded as any other module of PyTorch.

python examples/by_hand.py
"""

from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

import netspec

torch.manual_seed(0)
model = netspec.load("lenet_modern")
net, data = model.module(), model.data()  # an nn.Module, and what the spec is trained on
optimizer = torch.optim.Adam(net.parameters(), lr=0.002)

for epoch in range(3):
    for image, label in DataLoader(data.train, batch_size=32, shuffle=True):
        loss = cross_entropy(net(image), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: loss {loss.item():.3f}")

folder = Path("build/by_hand")
folder.mkdir(parents=True, exist_ok=True)
torch.save(net.state_dict(), folder / "lenet.pt")
again = model.module().eval()
again.load_state_dict(torch.load(folder / "lenet.pt", weights_only=True))

image, label = data.test[:]  # all rows at once
with torch.inference_mode():
    accuracy = (again(image).argmax(1) == label).float().mean().item()
print("wrote", model.export(folder / "lenet.onnx", again))
print(f"accuracy {accuracy:.4f}")
