"""A network of netspec's with Accelerate, and the weights that it writes back in a module of netspec's.

pip install accelerate; python examples/with_accelerate.py
"""

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

import netspec

set_seed(0)
accelerator = Accelerator(cpu=True)  # without `cpu`, what there is; `accelerate launch` for many
model = netspec.load("lenet_modern")
data = model.data()
net = model.module()
optimizer = torch.optim.Adam(net.parameters(), lr=0.002)
batches = DataLoader(data.train, batch_size=32, shuffle=True)
net, optimizer, batches = accelerator.prepare(net, optimizer, batches)

for epoch in range(3):
    for image, label in batches:
        loss = cross_entropy(net(image), label)
        optimizer.zero_grad()
        accelerator.backward(loss)
        optimizer.step()
    accelerator.print(f"epoch {epoch + 1}: loss {loss.item():.3f}")

accelerator.save_model(net, "build/with_accelerate")
again = model.module().eval()
again.load_state_dict(load_file("build/with_accelerate/model.safetensors"))  # keys are spec paths

image, label = data.test[:]
with torch.inference_mode():
    accuracy = (again(image).argmax(1) == label).float().mean().item()
accelerator.print(f"accuracy {accuracy:.4f}")
