"""PyTorch's recurrent networks on one target per sequence, for `long_memory.py`.

RNN: relu units, PyTorch's start. iRNN: recurrent weights the identity, biases zero (Le, Jaitly and
Hinton 2015). npRNN: a normalized positive definite matrix (Talathi and Vartak 2016). oRNN: an
orthogonal matrix (Henaff, Szlam and LeCun 2016). LSTM: PyTorch's. All of 40 units, with a linear
readout of the last state, trained by Adam on batches of 500, gradients clipped at 3, as in the
regularized PLRNN's paper, for a given time.
"""

import time

import numpy as np
import torch
from torch import nn

UNITS = 40
BATCH = 500


class Network(nn.Module):
    """A recurrent layer and a readout of its last state."""

    def __init__(self, kind, n_inputs):
        super().__init__()
        options = {} if kind == "LSTM" else {"nonlinearity": "relu"}
        layer = nn.LSTM if kind == "LSTM" else nn.RNN
        self.layer = layer(n_inputs, UNITS, batch_first=True, **options)
        self.readout = nn.Linear(UNITS, 1)
        if kind in STARTS:
            with torch.no_grad():
                self.layer.weight_hh_l0.copy_(STARTS[kind]())
                self.layer.bias_hh_l0.zero_()
                self.layer.bias_ih_l0.zero_()

    def forward(self, x):
        """Answers (B,) to sequences (B, T, K)."""
        return self.readout(self.layer(x)[0][:, -1])[:, 0]


def _positive():
    A = torch.randn(UNITS, UNITS)
    A = A.T @ A / UNITS + torch.eye(UNITS)
    return A / torch.linalg.eigvalsh(A)[-1]


STARTS = {
    "iRNN": lambda: torch.eye(UNITS),
    "npRNN": _positive,
    "oRNN": lambda: torch.linalg.qr(torch.randn(UNITS, UNITS))[0],
}


class Fitted:
    """A trained network that predicts arrays."""

    def __init__(self, network, mean, scale, n_iter):
        self.network, self.mean, self.scale, self.n_iter_ = network, mean, scale, n_iter

    def predict(self, X):
        """Answers in the units of the targets."""
        with torch.no_grad():
            parts = [self.network(x) for x in torch.tensor(X).split(BATCH)]
        return torch.cat(parts).numpy() * self.scale + self.mean


def fit_regressor(kind, X, y, seconds, seed):
    """Train on X (n, T, K) and y (n,) for `seconds`; the best epoch on a tenth held out is kept."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    mean, scale = y.mean(), y.std()
    inputs, targets = torch.tensor(X), torch.tensor((y - mean) / scale)
    n_train = len(X) - len(X) // 10
    network = Network(kind, X.shape[-1])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    loss_of = lambda rows: nn.functional.mse_loss(network(inputs[rows]), targets[rows])
    best, state, n_iter, end = np.inf, network.state_dict(), 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for rows in torch.randperm(n_train).split(BATCH):
            optimizer.zero_grad()
            loss_of(rows).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 3.0)
            optimizer.step()
            if time.perf_counter() > end:
                break
        n_iter += 1
        with torch.no_grad():
            held_out = np.mean(
                [float(loss_of(r)) for r in torch.arange(n_train, len(X)).split(BATCH)]
            )
        if held_out < best:
            best = held_out
            state = {name: x.clone() for name, x in network.state_dict().items()}
    network.load_state_dict(state)
    return Fitted(network, mean, scale, n_iter)
