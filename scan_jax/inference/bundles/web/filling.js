// Where a photograph is looked at and how the answer is written into the hole: `inference/tiling.py` in short. One layer
// of windows of one size, as wide as the thickest part of the hole needs, each seen by the network at SIZE x SIZE.

const CONTEXT = 1.5, MOST = 64; // a window's side in thicknesses of the hole; windows to a photograph

// Pixels to the nearest known one, about (steps of 1 and sqrt 2): hole [h*w] of 0 and 1 -> the largest.
function deepest(hole, width, height) {
  const far = Float32Array.from(hole, (inside) => (inside ? width + height : 0));
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? width + height : far[y * width + x]);
  for (const way of [1, -1]) {
    for (let i = 0; i < far.length; i++) {
      const place = way > 0 ? i : far.length - 1 - i, x = place % width, y = (place - x) / width;
      const near = Math.min(at(x - way, y), at(x, y - way)) + 1;
      const across = Math.min(at(x - way, y - way), at(x + way, y - way)) + Math.SQRT2;
      far[place] = Math.min(far[place], near, across);
    }
  }
  return far.reduce((a, b) => Math.max(a, b), 0);
}

// The smallest [left, top, right, bottom] around the hole within an area, or null.
function bounds(hole, width, [left, top, right, bottom]) {
  let found = null;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      if (!hole[y * width + x]) continue;
      found = found ?? [x, y, x + 1, y + 1];
      found = [Math.min(found[0], x), found[1], Math.max(found[2], x + 1), y + 1];
    }
  }
  return found;
}

// Windows [left, top, width, height]; each hole pixel lies in at least one.
function plan(hole, width, height) {
  let side = SIZE;
  while (side < CONTEXT * 2 * deepest(hole, width, height)) side *= 2;
  for (; side < Math.max(width, height); side *= 2) {
    const found = cover(hole, width, height, side);
    if (found.length <= MOST) return found;
  }
  return [[0, 0, width, height]];
}

function cover(hole, width, height, side) {
  const area = bounds(hole, width, [0, 0, width, height]), cell = side / 2, windows = [];
  for (let y = area[1]; y < area[3]; y += cell) {
    for (let x = area[0]; x < area[2]; x += cell) {
      const part = bounds(hole, width, [x, y, Math.min(x + cell, area[2]), Math.min(y + cell, area[3])]);
      if (part) {
        const [left, w] = around((part[0] + part[2]) >> 1, side, width);
        const [top, h] = around((part[1] + part[3]) >> 1, side, height);
        windows.push([left, top, w, h]);
      }
    }
  }
  return windows;
}

function around(middle, side, whole) {
  const length = Math.min(side, whole);
  return [Math.min(Math.max(0, middle - (length >> 1)), whole - length), length];
}

// How much of each old pixel lies in each new one along an axis: a list of [old, share] for each new pixel.
function shares(before, now) {
  const scale = before / now;
  return Array.from({ length: now }, (_, i) => {
    const list = [], end = Math.min((i + 1) * scale, before);
    for (let old = Math.floor(i * scale); old < end - 1e-6; old++) {
      list.push([old, Math.min(old + 1, end) - Math.max(old, i * scale)]);
    }
    return list;
  });
}

// What the network sees of a window: averages over the known pixels alone, continued by reflection to SIZE x SIZE.
function look(pixels, hole, width, [left, top, w, h]) {
  const scale = Math.min(1, SIZE / Math.max(w, h));
  const columns = Math.max(1, Math.round(w * scale)), rows = Math.max(1, Math.round(h * scale));
  const [across, down] = [shares(w, columns), shares(h, rows)];
  const small = new Float32Array(rows * columns * 4); // red, green, blue, known
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let sums = [0, 0, 0], seen = 0, all = 0;
      for (const [oldY, shareY] of down[y]) {
        for (const [oldX, shareX] of across[x]) {
          const place = (top + oldY) * width + left + oldX, share = shareX * shareY;
          all += share;
          if (hole[place]) continue;
          seen += share;
          for (let c = 0; c < 3; c++) sums[c] += (share * pixels[4 * place + c]) / 255;
        }
      }
      const known = seen >= all / 2, to = 4 * (y * columns + x);
      if (known) small.set([...sums.map((sum) => sum / seen), 1], to);
    }
  }
  const image = new Float32Array(SIZE * SIZE * 3), known = new Float32Array(SIZE * SIZE);
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const from = 4 * (reflected(y, rows) * columns + reflected(x, columns)), to = y * SIZE + x;
      image.set(small.subarray(from, from + 3), 3 * to);
      known[to] = small[from + 3];
    }
  }
  return { image, known, rows, columns };
}

function reflected(place, length) {
  const period = Math.max(1, 2 * (length - 1)), along = place % period;
  return Math.min(along, period - along, length - 1);
}

// Adds a prediction, enlarged bilinearly, where the hole is; a window counts less towards its edges.
function write(total, weight, hole, width, height, [left, top, w, h], seen, prediction) {
  const value = (y, x, c) => {
    const place = y * SIZE + x;
    return seen.known[place] ? seen.image[3 * place + c] : prediction[3 * place + c];
  };
  const [ys, xs] = [between(h, seen.rows), between(w, seen.columns)];
  const [fallY, fallX] = [fall(top, h, height), fall(left, w, width)];
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const place = (top + y) * width + left + x;
      if (!hole[place]) continue;
      const [y0, y1, v] = ys[y], [x0, x1, u] = xs[x], much = fallY[y] * fallX[x];
      weight[place] += much;
      for (let c = 0; c < 3; c++) {
        const upper = (1 - u) * value(y0, x0, c) + u * value(y0, x1, c);
        const lower = (1 - u) * value(y1, x0, c) + u * value(y1, x1, c);
        total[3 * place + c] += much * ((1 - v) * upper + v * lower);
      }
    }
  }
}

// For each of `large` pixels the two of `small` around its centre, and how near the second is.
function between(large, small) {
  return Array.from({ length: large }, (_, i) => {
    const place = Math.min(Math.max(((i + 0.5) * small) / large - 0.5, 0), small - 1), first = Math.floor(place);
    return [first, Math.min(first + 1, small - 1), place - first];
  });
}

function fall(start, length, whole) {
  return Float32Array.from({ length }, (_, i) => {
    const before = start > 0 ? i + 0.5 : length, after = start + length < whole ? length - i - 0.5 : length;
    return Math.min(Math.min(before, after) / (length / 2), 1);
  });
}

// The filled photograph: pixels uint8 RGBA [h*w*4], hole [h*w] of 0 and 1; `predict` is the network, `tell` is told.
async function fillHole(pixels, hole, width, height, predict, tell) {
  const total = new Float32Array(width * height * 3), weight = new Float32Array(width * height);
  const windows = plan(hole, width, height);
  for (const [index, window] of windows.entries()) {
    tell(index, windows.length);
    const seen = look(pixels, hole, width, window);
    write(total, weight, hole, width, height, window, seen, await predict(seen.image, seen.known));
  }
  const filled = new Uint8ClampedArray(pixels);
  for (let place = 0; place < hole.length; place++) {
    if (!hole[place]) continue;
    for (let c = 0; c < 3; c++) filled[4 * place + c] = (255 * total[3 * place + c]) / weight[place]; // rounds
    filled[4 * place + 3] = 255;
  }
  return filled;
}
