"""A network of netspec's in Lightning's Trainer, and its checkpoint back in a module of netspec's.

pip install pytorch-lightning; python examples/with_lightning.py
"""

import pytorch_lightning as lightning
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

import netspec


class Classifier(lightning.LightningModule):
    def __init__(self, net: torch.nn.Module):
        super().__init__()
        self.net = net

    def training_step(self, batch, index):
        image, label = batch
        return cross_entropy(self.net(image), label)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.002)


lightning.seed_everything(0, verbose=False)
model = netspec.load("lenet_modern")
data = model.data()
trainer = lightning.Trainer(max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False)
trainer.fit(Classifier(model.module()), DataLoader(data.train, batch_size=32, shuffle=True))
trainer.save_checkpoint("build/with_lightning/lenet.ckpt")

saved = torch.load("build/with_lightning/lenet.ckpt", weights_only=True)["state_dict"]
again = model.module().eval()
again.load_state_dict({key.removeprefix("net."): tensor for key, tensor in saved.items()})

image, label = data.test[:]
with torch.inference_mode():
    accuracy = (again(image).argmax(1) == label).float().mean().item()
print(f"accuracy {accuracy:.4f}")
