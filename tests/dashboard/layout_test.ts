import assert from "node:assert/strict";
import { test } from "node:test";
import { Layout } from "../../src/dashboard/page/layout.ts";
import { seededRandom } from "../../src/testing/seeded_random.ts";

/** A tree with some more links, as a mesh may be. */
function mesh(size: number): { names: string[]; links: [string, string][] } {
  const random = seededRandom(size);
  const names = Array.from({ length: size }, (_, i) => `n${i}`);
  const links = names.slice(1).map((name, i): [string, string] => [
    names[Math.floor(random() * (i + 1))]!,
    name,
  ]);
  for (let i = 0; i < size / 5; i++) {
    links.push([names[Math.floor(random() * size)]!, names[Math.floor(random() * size)]!]);
  }
  return { names, links };
}

/** Steps until it settles; how many that were. */
function settle(layout: Layout): number {
  let steps = 0;
  while (layout.step()) assert(++steps < 1_000, "it never settles");
  return steps;
}

const places = (layout: Layout) =>
  [...layout.bodies].map(([name, { x, y }]) => [name, Math.round(x), Math.round(y)]);

for (const size of [2, 12, 60, 300]) {
  test(`Layout settles with ${size} nodes, within bounds, and none upon another`, () => {
    const { names, links } = mesh(size);
    const layout = new Layout();
    layout.set(names, links);
    assert(settle(layout) < 400);
    const bodies = [...layout.bodies.values()];
    const far = 160 * Math.sqrt(size);
    for (const { x, y } of bodies) assert(Math.hypot(x, y) < far, `${x}, ${y} is too far`);
    let nearest = Infinity;
    bodies.forEach((a, i) => {
      for (const b of bodies.slice(i + 1)) {
        nearest = Math.min(nearest, Math.hypot(a.x - b.x, a.y - b.y));
      }
    });
    assert(nearest > 12, `two are only ${nearest} pixels apart`);
  });
}

test("Layout never moves a node faster than its limit, though all begin in one place", () => {
  const { names, links } = mesh(100);
  const layout = new Layout();
  layout.set(names, links);
  for (const name of names) layout.hold(name, 0, 0);
  for (const name of names) layout.release(name);
  let before = new Map([...layout.bodies].map(([name, { x, y }]) => [name, { x, y }]));
  while (layout.step()) {
    for (const [name, { x, y }] of layout.bodies) {
      const { x: lastX, y: lastY } = before.get(name)!;
      assert(Math.hypot(x - lastX, y - lastY) < 14.001);
      assert(Number.isFinite(x + y));
    }
    before = new Map([...layout.bodies].map(([name, { x, y }]) => [name, { x, y }]));
  }
});

test("Layout comes to the same picture from the same mesh", () => {
  const { names, links } = mesh(30);
  const pictures = [1, 2].map(() => {
    const layout = new Layout();
    layout.set(names, links);
    settle(layout);
    return places(layout);
  });
  assert.deepEqual(pictures[0], pictures[1]);
});

test("Layout.set() says whether anything is new; the same mesh does not move it", () => {
  const { names, links } = mesh(10);
  const layout = new Layout();
  assert.equal(layout.set(names, links), true);
  settle(layout);
  const settled = places(layout);
  assert.equal(layout.set([...names], links.map(([a, b]) => [a, b])), false);
  assert.equal(layout.moving, false);
  assert.equal(layout.set([...names, "new"], [...links, ["n3", "new"]]), true);
  assert.equal(layout.moving, true);
  // It begins beside its neighbour, and the others are still where they were.
  const [at, near] = [layout.bodies.get("new")!, layout.bodies.get("n3")!];
  assert(Math.hypot(at.x - near.x, at.y - near.y) < 100);
  assert.deepEqual(places(layout).slice(0, -1), settled);
  layout.set(names.slice(1), []);
  assert.equal(layout.bodies.has("n0"), false);
});

test("Layout.hold() keeps a node where a hand has put it", () => {
  const { names, links } = mesh(10);
  const layout = new Layout();
  layout.set(names, links);
  settle(layout);
  layout.hold("n4", 300, -200);
  settle(layout);
  const { x, y } = layout.bodies.get("n4")!;
  assert.deepEqual([x, y], [300, -200]);
});
