import { writeFileSync } from 'node:fs';

/*
 * Plots of results, drawn by Vega without a canvas or a browser.
 */

/**
 * @typedef {object} Bar
 * @property {string} name
 * @property {number} value the median
 * @property {number} low
 * @property {number} high
 * @property {number} [goal]
 */

/** A row for each figure: a bar, the spread of its rounds, and a tick at its goal. @param {readonly Bar[]} bars */
function specification(title, axis, bars) {
  const y = { field: 'name', type: 'nominal', sort: null, title: null, axis: { labelLimit: 320 } };
  const x = (field) => ({ field, type: 'quantitative', title: axis });
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    title,
    width: 480,
    background: 'white',
    data: { values: bars },
    layer: [
      { mark: { type: 'bar', color: '#7aa6c2' }, encoding: { y, x: x('value') } },
      { mark: { type: 'rule', strokeWidth: 2 }, encoding: { y, x: x('low'), x2: { field: 'high' } } },
      {
        transform: [{ filter: 'isValid(datum.goal)' }],
        mark: { type: 'tick', color: '#c0392b', thickness: 3 },
        encoding: { y, x: x('goal') },
      },
    ],
  };
}

/**
 * Write an SVG file.
 * @param {string} path
 * @param {string} title
 * @param {string} axis what the bars measure
 * @param {readonly Bar[]} bars
 */
export async function plotBars(path, title, axis, bars) {
  const [{ compile }, { parse, View }] = await Promise.all([import('vega-lite'), import('vega')]);
  const view = new View(parse(compile(specification(title, axis, bars)).spec), { renderer: 'none' });
  writeFileSync(path, await view.toSVG());
  view.finalize();
}
