# SPDX-License-Identifier: Apache-2.0
"""What a case must give, by forward-mode differentiation in double precision.

Every value v comes with tangents d[p, ...] = dv / d(direction p). A direction is an element of a
parameter, or the membrane of one neuron of one sample at one step. Nothing here runs backwards, so
this shares no formula with the engine:

  bptt     tangents of the states are carried from step to step; at the start of a window they are
           zero, and so is what theta does inside the inherited membrane
  online   at each step the states are constants; the tangent of a weighted layer with respect to its
           weights uses the trace of its input in place of the input, and a neuron's tangent with
           respect to theta and leak is th~ - 1 and al~; under trace_reset: kept those traces also
           carry the tangent of the last spike through the reset

  d s = phi(U - theta) d(U - theta);  inside the reset d s counts only under reset_grad: kept
"""
import numpy as np

# ---- surrogates: value of phi at z ----------------------------------------------------------------


def phi(z, surrogate):
    name, get = surrogate["name"], surrogate.get
    a = np.abs(z)
    if name == "triangle":
        w = get("width", 1.0)
        return np.maximum(0, 1 - a / w) / w
    if name == "rectangle":
        w = get("width", 1.0)
        return (a <= w / 2) / w
    if name == "exponential":
        return np.exp(-a)
    if name == "sigmoid":
        s = 1 / (1 + np.exp(-get("slope", 4.0) * z))
        return get("slope", 4.0) * s * (1 - s)
    if name == "fast_sigmoid":
        return 1 / (1 + get("k", 25.0) * a) ** 2
    if name == "atan":
        k = get("slope", 2.0)
        return k / 2 / (1 + (np.pi / 2 * k * z) ** 2)
    if name == "gaussian":
        s = get("sigma", 0.5)
        return np.exp(-z * z / (2 * s * s)) / (s * np.sqrt(2 * np.pi))
    raise ValueError(name)


# ---- losses: value of each sample and gradient -----------------------------------------------------


def sample_loss(z, y, loss):
    kind = loss["kind"]
    if kind == "mse":
        half = 0.5 if loss.get("mse_form", "half_sum") == "half_sum" else 1.0 / z.shape[1]
        return half * ((z - y) ** 2).sum(1), 2 * half * (z - y)
    shifted = z - z.max(1, keepdims=True)
    e = np.exp(shifted)
    p = e / e.sum(1, keepdims=True)
    value = -(y * (shifted - np.log(e.sum(1, keepdims=True)))).sum(1)
    slope = p * y.sum(1, keepdims=True) - y
    if kind == "ce":
        return value, slope
    lam, r = loss["lam"], (y if kind == "ce_mse_onehot" else loss["constant"])
    n = z.shape[1]
    return ((1 - lam) * value + lam / n * ((z - r) ** 2).sum(1),
            (1 - lam) * slope + 2 * lam / n * (z - r))


# ---- numbers with tangents, for maps that are written as they are read -------------------------------


class Dual:
    """A value, and tangents of it along an axis in front."""

    def __init__(self, v, d=0.0):
        self.v, self.d = v, d

    def __add__(self, other):
        return Dual(self.v + other.v, self.d + other.d)

    def __sub__(self, other):
        return Dual(self.v - other.v, self.d - other.d)

    def __mul__(self, other):
        return Dual(self.v * other.v, self.d * other.v + self.v * other.d)

    def logistic(self):
        y = 1 / (1 + np.exp(-self.v))
        return Dual(y, y * (1 - y) * self.d)


def clif(u, m, s, th, al, x):
    """Membrane before the spike and complementary potential of a step, from those of the step before."""
    m = m * ((Dual(1.0) - al) * u).logistic() + s
    return al * (u - s * (th + m.logistic())) + x, m


# ---- geometry ---------------------------------------------------------------------------------------


def windows(x, k, stride, pad=0):
    """[..., C, H, W] to [..., C, k, k, Ho, Wo]."""
    x = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(pad, pad)] * 2)
    h, w = (x.shape[-2] - k) // stride + 1, (x.shape[-1] - k) // stride + 1
    s = x.strides
    return np.lib.stride_tricks.as_strided(
        x, x.shape[:-2] + (k, k, h, w),
        s[:-2] + (s[-2], s[-1], s[-2] * stride, s[-1] * stride), writeable=False)


def product(x, w, layer):
    """Linear map of a weighted layer, over any leading axes of x."""
    if layer["type"] == "dense":
        return x @ w.T
    groups, cols = layer["groups"], windows(x, layer["kernel"], layer["stride"], layer["padding"])
    ci, co = w.shape[1], w.shape[0] // groups
    parts = [np.einsum("...iklhw,oikl->...ohw", cols[..., g * ci:(g + 1) * ci, :, :, :, :],
                       w[g * co:(g + 1) * co], optimize=True) for g in range(groups)]
    return np.concatenate(parts, -3)


def weight_tangents(x, w, layer):
    """Product of x with the unit tangent of each weight: [n, B, out...]."""
    out = w.shape[0]
    if layer["type"] == "dense":
        d = np.zeros((out, x.shape[1], x.shape[0], out))
        for o in range(out):
            d[o, :, :, o] = x.T
        return d.reshape((w.size,) + d.shape[2:])
    cols = windows(x, layer["kernel"], layer["stride"], layer["padding"])
    ci, co = w.shape[1], out // layer["groups"]
    d = np.zeros((out, ci) + cols.shape[2:4] + (x.shape[0], out) + cols.shape[4:])
    for o in range(out):
        g = o // co
        d[o, ..., o, :, :] = np.moveaxis(cols[:, g * ci:(g + 1) * ci], 0, 3)
    return d.reshape((w.size,) + d.shape[4:])


class Net:
    """One case: layers, parameters, rule. `run` fills self.out with the arrays of expected.npz."""

    def __init__(self, case, weights, x, target):
        self.case, self.rule, self.loss = case, case["rule"], case["loss"]
        self.layers = case["network"]
        self.w = {k: v.astype(np.float64) for k, v in weights.items()}
        self.T, self.B = case["T"], case["B"]
        self.constant = x.ndim in (2, 4)
        self.x, self.target = x.astype(np.float64), target.astype(np.float64)
        self.online = self.rule["name"] != "bptt"
        self.kept = self.rule.get("reset_grad") == "kept"
        self.out, self.margin = {}, np.inf
        self.shapes = {}
        self.start, self.nudge = {}, {}
        self.P = 0
        self._name_directions()

    # ---- directions --------------------------------------------------------------------------------

    def _name_directions(self):
        for name, w in self.w.items():
            if name.split(".")[-1].startswith("running"):
                continue
            self.start[name] = self.P
            self.P += w.size
        self.step(1, {}, {}, True)                     # for the shapes
        for name, shape in self.shapes.items():
            self.nudge[name] = self.P
            self.P += self.B * int(np.prod(shape)) * (1 if self.online else self.T)
        self.grad = np.zeros(self.P)
        self.out, self.margin = {}, np.inf

    def _nudge(self, d, name, t):
        """Moves each membrane of step t by itself."""
        if name not in self.nudge:
            return
        n = self.B * int(np.prod(self.shapes[name]))
        at = self.nudge[name] + (0 if self.online else (t - 1) * n)
        d[at:at + n].reshape(n, n)[np.arange(n), np.arange(n)] += 1

    def _take_delta(self, t):
        """Online: dE[t]/dU[t], the error of this step alone."""
        for name, at in self.nudge.items():
            n = self.B * int(np.prod(self.shapes[name]))
            self._record(name + ".delta", t, self.grad[at:at + n].reshape((self.B,) + self.shapes[name]))
            self.grad[at:at + n] = 0

    def _put(self, d, name, block):
        at = self.start[name]
        d[at:at + len(block)] += block

    def _own(self, name, layer, t):
        """Elements of a neuron parameter that step t has, and where they begin."""
        w = self.w[name].reshape(-1)
        n = w.size // (self.T if layer.get("per_step") else 1)
        first = (t - 1) * n if layer.get("per_step") else 0
        return w[first:first + n], first

    def _each(self, name, values, layer, t):
        """Tangent of a neuron parameter: its own neurons' values, [n, B, shape]."""
        w, first = self._own(name, layer, t)
        shape = values.shape[1:]
        block = np.zeros((self.w[name].size,) + values.shape)
        if w.size == 1:
            block[first] = values
            return block
        flat = block.reshape(len(block), values.shape[0], -1)
        per = int(np.prod(shape)) // w.size
        for i in range(w.size):
            flat[first + i, :, i * per:(i + 1) * per] = \
                values.reshape(values.shape[0], -1)[:, i * per:(i + 1) * per]
        return block

    def _spread(self, name, shape, layer, t):
        """A neuron parameter as one value per neuron."""
        w, _ = self._own(name, layer, t)
        return np.repeat(w, int(np.prod(shape)) // w.size).reshape(shape)

    # ---- which leak a trace has ---------------------------------------------------------------------

    def _source(self, i, k=0):
        names = [layer["name"] for layer in self.layers]
        origin = self.layers[i].get("from")
        if origin is None:
            return i - 1
        return names.index(origin[k])

    def _memory(self, i):
        reached = {i}
        for j in range(i + 1, len(self.layers)):
            inputs = 2 if self.layers[j]["type"] == "add" else 1
            if any(self._source(j, k) in reached for k in range(inputs)):
                reached.add(j)
                if self.layers[j]["type"] in ("lif", "clif", "empf", "readout"):
                    return self.layers[j]
        raise ValueError("no memory")

    def _decay(self, layer, t):
        """Leak of a spiking layer from step t-1 to t."""
        if not layer.get("recurrent", True):
            return 0.0
        return float(self._own(layer["name"] + ".leak", layer, t)[0][0])

    def _leak(self, i, t):
        if self.rule["name"] in ("sltt", "bptt") or not self.rule.get("W", True):
            return 0.0
        if self.rule.get("weight_trace") == "none":
            return 0.0
        if not self.rule.get("first_layer_trace", True) and i == self._first():
            return 0.0
        memory = self._memory(i)
        if memory["type"] == "readout":
            head = self.rule.get("head_trace")
            return memory.get("leak", 0.0) if head is None else head
        return self._decay(memory, t)

    def _first(self):
        return next(i for i, l in enumerate(self.layers) if l["type"] in ("dense", "conv2d"))

    # ---- one step -----------------------------------------------------------------------------------

    def step(self, t, states, tangents, cut):
        """Values and tangents of step t; states and tangents are those of t-1 and are replaced."""
        frame = self.x if self.constant else self.x[t - 1]
        value, slope = {-1: frame}, {-1: None}
        for i, layer in enumerate(self.layers):
            j = self._source(i)
            value[i], slope[i] = getattr(self, "_" + layer["type"])(
                i, layer, value[j], slope[j], t, states, tangents, cut, value, slope)
        return value[len(self.layers) - 1], slope[len(self.layers) - 1]

    def _dense(self, i, layer, x, dx, t, states, tangents, cut, value, slope):
        name = layer["name"]
        w = self.w[name + ".weight"]
        y = product(x, w, layer)
        d = np.zeros((self.P,) + y.shape) if dx is None else product(dx, w, layer)
        leak = self._leak(i, t)
        trace, bt = states.get((i, "w"), (0.0, 0.0))
        trace, bt = leak * trace + x, leak * bt + 1
        states[i, "w"] = trace, bt
        if self.online:
            self._record(name + ".trace_w", t, trace)
        self._put(d, name + ".weight", weight_tangents(trace if self.online else x, w, layer))
        if name + ".bias" in self.w:
            b = self.w[name + ".bias"]
            shape = (b.size, 1) + (b.size,) + (1,) * (y.ndim - 2)
            y = y + b.reshape((1, b.size) + (1,) * (y.ndim - 2))
            kind = self.rule.get("bias_trace", "plain") if self.online else "plain"
            factor = {"exact": bt, "plain": 1.0, "none": 0.0}[kind]
            unit = np.eye(b.size).reshape(shape) * factor
            self._put(d, name + ".bias", np.broadcast_to(unit, (b.size,) + y.shape))
        return y, d

    _conv2d = _dense

    def _batchnorm2d(self, i, layer, x, dx, t, states, tangents, cut, value, slope):
        name = layer["name"]
        wide = (1, -1, 1, 1)
        g, b = self.w[name + ".weight"].reshape(wide), self.w[name + ".bias"].reshape(wide)
        axes = (0, 2, 3)
        dx = np.zeros((self.P,) + x.shape) if dx is None else dx
        if layer["mode"] == "train":
            mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
            dmean = dx.mean((1, 3, 4), keepdims=True)
            dvar = 2 * ((x - mean) * (dx - dmean)).mean((1, 3, 4), keepdims=True)
        else:
            mean = self.w[name + ".running_mean"].reshape(wide)
            var = self.w[name + ".running_var"].reshape(wide)
            dmean = dvar = 0.0
        r = 1 / np.sqrt(var + layer["eps"])
        hat = (x - mean) * r
        d = g * ((dx - dmean) * r - 0.5 * (x - mean) * r ** 3 * dvar)
        filtered, bt = hat, 1.0
        if self.online and self.rule.get("bn_trace") == "exact" and self.rule["name"] != "sltt" \
                and self.rule.get("weight_trace") != "none":
            leak = self._leak_of_norm(i, t)
            old, bt = states.get((i, "n"), (0.0, 0.0))
            filtered, bt = leak * old + hat, leak * bt + 1
            states[i, "n"] = filtered, bt
        c = x.shape[1]
        unit = np.eye(c).reshape(c, 1, c, 1, 1)
        self._put(d, name + ".weight", unit * filtered)
        self._put(d, name + ".bias", np.broadcast_to(unit * bt, (c,) + x.shape))
        return g * hat + b, d

    def _leak_of_norm(self, i, t):
        memory = self._memory(i)
        return memory.get("leak", 0.0) if memory["type"] == "readout" else self._decay(memory, t)

    def _lif(self, i, layer, x, dx, t, states, tangents, cut, value, slope):
        name, shape = layer["name"], x.shape[1:]
        self.shapes[name] = shape
        th = self._spread(name + ".threshold", shape, layer, t)
        al = self._spread(name + ".leak", shape, layer, t)
        scaled = 1.0 if layer.get("input_scale") == "1-alpha" else 0.0
        u0, s0 = states.get((i, "u"), (np.zeros_like(x), np.zeros_like(x)))
        if not layer.get("recurrent", True):
            u0, s0, cut = np.zeros_like(x), np.zeros_like(x), True
        kind = layer.get("reset", "soft")
        kind = "empf" if layer["type"] == "empf" else layer["convention"] if kind == "soft" else kind
        held = {"A": u0 - th * s0, "B": u0, "hard": u0 * (1 - s0), "none": u0, "empf": u0 - s0}[kind]
        u = al * held + (1 - scaled * al) * x - (th * s0 if kind == "B" else 0)
        jac = al * (1 - s0) if kind == "hard" else al
        dtheta = {"A": -al * s0, "B": -s0}.get(kind, 0 * s0)
        dleak = held - scaled * x
        reset = {"A": -al * th, "B": -th, "hard": -al * u0, "none": 0 * th, "empf": -al}[kind]
        z = u - th
        s, sent, slope_s, slope_sent = self._emit(z, layer)
        dz = np.ascontiguousarray((1 - scaled * al) * dx)
        if self.online:
            a, b = states.get((i, "t"), (np.zeros_like(x), np.zeros_like(x)))
            if layer.get("per_step") or not layer.get("recurrent", True):
                a, b = dtheta + 0 * x, dleak
            elif self.rule.get("trace_reset") == "kept":
                da, db = states.get((i, "r"), (0.0, 0.0))
                a, b = jac * a + reset * da + dtheta, jac * b + reset * db + dleak
                states[i, "r"] = slope_s * (a - 1), slope_s * b
            else:
                a, b = jac * a + dtheta, jac * b + dleak
            states[i, "t"] = a, b
            if self.rule.get("T"):
                self._record(name + ".trace_threshold", t, a)
            if self.rule.get("L"):
                self._record(name + ".trace_leak", t, b)
            self._put(dz, name + ".threshold", self._each(name + ".threshold", a - 1, layer, t))
            self._put(dz, name + ".leak", self._each(name + ".leak", b, layer, t))
            self._nudge(dz, name, t)
        else:
            if not cut:
                du0, ds0 = tangents[i, "u"]
                dz += jac * du0
                if self.kept:
                    dz += reset * ds0
                self._put(dz, name + ".threshold", self._each(name + ".threshold", dtheta, layer, t))
            self._put(dz, name + ".leak", self._each(name + ".leak", dleak, layer, t))
            self._nudge(dz, name, t)
            du = dz.copy()
            self._put(dz, name + ".threshold",
                      self._each(name + ".threshold", -np.ones_like(x), layer, t))
        states[i, "u"] = u, s
        if not self.online:
            tangents[i, "u"] = du, slope_s * dz
        scale = layer.get("scale", 1.0)
        self._record(name + ".u", t, u)
        self._record(name + ".s", t, scale * sent if self._graded(layer) else s)
        return scale * sent, scale * slope_sent * dz

    _empf = _lif

    def _graded(self, layer):
        return layer.get("emission", "graded" if layer["type"] == "empf" else "step") == "graded"

    def _emit(self, z, layer):
        """Spike, what is sent, and the slopes of both."""
        fires = ((z >= 0) if layer.get("cmp", ">=") == ">=" else (z > 0)).astype(np.float64)
        if not self._graded(layer):
            self._distance(z, layer["surrogate"])
            slope = phi(z, layer["surrogate"])
            return fires, fires, slope, slope
        s, bits = np.maximum(z, 0), layer.get("spike_bits", 0)
        self.margin = min(self.margin, np.abs(z).min())
        if not bits:
            return s, s, fires, fires
        unit, most = layer["spike_step"], 2 ** bits - 1
        k = s / unit + 0.5
        self.margin = min(self.margin, unit * np.abs(k - np.round(k)).min(),
                          np.abs(s - most * unit).min())
        return s, unit * np.minimum(np.floor(k), most), fires, fires * (z <= most * unit)

    def _clif(self, i, layer, x, dx, t, states, tangents, cut, value, slope):
        name, shape = layer["name"], x.shape[1:]
        self.shapes[name] = shape
        th = self._spread(name + ".threshold", shape, layer, t)
        al = self._spread(name + ".leak", shape, layer, t)
        u, m, s = states.get((i, "u"), (np.zeros_like(x),) * 3)
        none = np.zeros_like(x)
        if self.online:                                # along theta and leak of the neuron itself
            du, dm, ds = states.get((i, "t"), (np.zeros((2,) + x.shape),) * 3)
            kept = self.rule.get("trace_reset") == "kept"
            own = [np.broadcast_to(np.reshape(e, (2,) + (1,) * x.ndim), (2,) + x.shape)
                   for e in ((1.0, 0.0), (0.0, 1.0))]
            u, m = clif(Dual(u, du), Dual(m, dm), Dual(s, ds * kept), Dual(th, own[0]), Dual(al, own[1]),
                        Dual(x))
            dz = np.array(dx, order="C")
            self._put(dz, name + ".threshold", self._each(name + ".threshold", u.d[0] - 1, layer, t))
            self._put(dz, name + ".leak", self._each(name + ".leak", u.d[1], layer, t))
            for flag, trace, d in (("T", ".trace_threshold", u.d[0]), ("L", ".trace_leak", u.d[1])):
                if self.rule.get(flag):
                    self._record(name + trace, t, d)
        else:                                          # along everything
            du, dm, ds = (0.0, 0.0, 0.0) if cut else tangents[i, "u"]
            dth, dal = np.zeros_like(dx), np.zeros_like(dx)
            self._put(dth, name + ".threshold", self._each(name + ".threshold", none + 1, layer, t))
            self._put(dal, name + ".leak", self._each(name + ".leak", none + 1, layer, t))
            u, m = clif(Dual(u, du), Dual(m, dm), Dual(s, ds * self.kept), Dual(th, 0.0 if cut else dth),
                        Dual(al, dal), Dual(x, dx))
            u.d = np.ascontiguousarray(u.d)
            dz = np.ascontiguousarray(u.d - dth)
        z = u.v - th
        s = ((z >= 0) if layer["cmp"] == ">=" else (z > 0)).astype(np.float64)
        self._distance(z, layer["surrogate"])
        self._nudge(dz, name, t)
        slope_here = phi(z, layer["surrogate"])
        states[i, "u"] = u.v, m.v, s
        if self.online:
            dth = np.reshape((1.0, 0.0), (2,) + (1,) * x.ndim)
            states[i, "t"] = u.d, m.d, slope_here * (u.d - dth)
        else:
            self._nudge(u.d, name, t)
            tangents[i, "u"] = u.d, m.d, slope_here * dz
        self._record(name + ".u", t, u.v)
        self._record(name + ".s", t, s)
        scale = layer.get("scale", 1.0)
        return scale * s, scale * slope_here * dz

    def _distance(self, z, surrogate):
        self.margin = min(self.margin, np.abs(z).min())
        if surrogate["name"] == "rectangle":
            self.margin = min(self.margin, np.abs(np.abs(z) - surrogate.get("width", 1.0) / 2).min())

    def _avgpool2d(self, i, layer, x, dx, *rest):
        k, s = layer["kernel"], layer["stride"]
        return windows(x, k, s).mean((2, 3)), None if dx is None else windows(dx, k, s).mean((3, 4))

    def _maxpool2d(self, i, layer, x, dx, *rest):
        k = layer["kernel"]
        w = windows(x, k, layer["stride"])
        flat = w.reshape(w.shape[:2] + (k * k,) + w.shape[4:])
        best = flat.argmax(2)[:, :, None]
        if len(np.unique(x)) > 2:                      # ties of spikes are exact, others must not be
            two = np.sort(flat, 2)
            self.margin = min(self.margin, (two[:, :, -1] - two[:, :, -2]).min())
        y = np.take_along_axis(flat, best, 2)[:, :, 0]
        if dx is None:
            return y, None
        w = windows(dx, k, layer["stride"])
        flat = w.reshape(w.shape[:3] + (k * k,) + w.shape[5:])
        best = np.broadcast_to(best, (len(dx),) + best.shape)
        return y, np.take_along_axis(flat, best, 3)[:, :, :, 0]

    def _gap(self, i, layer, x, dx, *rest):
        return x.mean((2, 3)), dx.mean((3, 4))

    def _flatten(self, i, layer, x, dx, *rest):
        return x.reshape(len(x), -1), None if dx is None else dx.reshape(dx.shape[0], len(x), -1)

    def _add(self, i, layer, x, dx, t, states, tangents, cut, value, slope):
        j = self._source(i, 1)
        return x + value[j], dx + slope[j]

    def _readout(self, i, layer, x, dx, t, states, tangents, cut, value, slope):
        if layer["kind"] == "leaky":
            x = layer["leak"] * states.get((i, "m"), 0.0) + x
            states[i, "m"] = x
            if not self.online:
                dx = dx + (0.0 if cut else layer["leak"] * tangents[i, "m"])
                tangents[i, "m"] = dx
        self._record("logits", t, x)
        return x, dx

    def _record(self, name, t, v):
        self.out.setdefault(name, np.zeros((self.T,) + v.shape))[t - 1] = v

    # ---- a batch ------------------------------------------------------------------------------------

    def _window(self, first, last, states):
        """Steps first..last with tangents; yields t, output, tangents. Changes states."""
        tangents = {}
        for t in range(first, last + 1):
            z, d = self.step(t, states, tangents, t == first)
            yield t, z, d

    def _score(self, z, d, t, weight):
        value, slope = sample_loss(z, self.target[t - 1], self.loss)
        self.grad += weight * np.einsum("bk,pbk->p", slope, d)
        return weight * value.sum()

    def run(self):
        """The arrays that the engine must give."""
        step = self.loss["when"] == "step"
        weight = 1.0 / (self.B if self.loss["batch"] == "mean" else 1)
        weight /= self.T if step and self.loss["divide_by_T"] else 1
        kind, width = self.rule.get("window_kind", "none"), self.rule.get("window", self.T)
        sliding = kind == "sliding"
        width = 1 if self.online or sliding else width if kind == "chunk" else self.T
        total, states, past = 0.0, {}, [{}]
        decision = 0.0, 0.0
        readout = self.layers[-1]["kind"]
        for first in range(1, self.T + 1, width):
            for t, z, d in self._window(first, min(first + width - 1, self.T), states):
                past.append(dict(states))
                if sliding:
                    begin = max(1, t - self.rule["window"] + 1)
                    *_, (_, z, d) = self._window(begin, t, dict(past[begin - 1]))
                if readout in ("sum", "mean"):
                    f = 1.0 / self.T if readout == "mean" else 1.0
                    decision = decision[0] + f * z, decision[1] + f * d
                else:
                    decision = z, d
                if step:
                    total += self._score(z, d, t, weight)
                elif t == self.T:
                    total = self._score(*decision, t, weight)
                if self.online:
                    self._take_delta(t)
        self.out["loss"] = np.float64(total)
        self._gradients()
        return self.out

    def _gradients(self):
        rule = self.rule
        for name, at in self.start.items():
            what = name.split(".")[-1]
            g = self.grad[at:at + self.w[name].size].reshape(self.w[name].shape)
            if what in ("threshold", "leak"):
                flag = {"threshold": "T", "leak": "L"}[what]
                if self.online and not rule.get(flag, False):
                    continue
                if what == "leak" and rule.get("leak_reduction") == "mean":
                    layer = next(l for l in self.layers if l["name"] == name.split(".")[0])
                    sharers = np.prod(self.shapes[layer["name"]])
                    g = g * (self._own(name, layer, 1)[0].size / sharers)
            elif self.online and not rule.get("W", True):
                continue
            elif what == "bias" and rule.get("bias_trace") == "none" and self._weighted(name):
                continue
            self.out["grad." + name] = g
        for name, at in self.nudge.items():
            shape = (self.T, self.B) + self.shapes[name]
            if not self.online:
                self.out[name + ".delta"] = self.grad[at:at + int(np.prod(shape))].reshape(shape)
        if self.online and not rule.get("W", True):
            for name in [n for n in self.out if n.endswith(".trace_w")]:
                del self.out[name]

    def _weighted(self, name):
        return any(l["name"] == name.split(".")[0] and l["type"] in ("dense", "conv2d")
                   for l in self.layers)
