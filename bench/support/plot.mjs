import { writeFileSync } from 'node:fs';
import { parse, View } from 'vega';
import { compile } from 'vega-lite';

/*
 * Plots of results, drawn by Vega without a canvas or a browser.
 */

/**
 * @typedef {object} Bar
 * @property {string} name
 * @property {number} value the median
 * @property {number} [low] of its rounds
 * @property {number} [high]
 * @property {number} [goal]
 */

/**
 * @typedef {object} Chart
 * @property {string} title
 * @property {string} axis what the bars measure
 * @property {readonly Bar[]} bars
 */

/** @param {string} name @param {readonly number[]} rounds by round @param {{ value: number, goal?: number }} more @returns {Bar} */
export function barOf(name, rounds, { value, goal }) {
  return { name, value, low: Math.min(...rounds), high: Math.max(...rounds), goal };
}

/** A row for each figure: a bar, the spread of its rounds, and a tick at its goal. @param {Chart} chart */
function specification({ title, axis, bars }) {
  const y = { field: 'name', type: 'nominal', sort: null, title: null, axis: { labelLimit: 0 } };
  const x = (field) => ({ field, type: 'quantitative', title: axis });
  return {
    title,
    width: 480,
    data: { values: bars },
    layer: [
      { mark: { type: 'bar', color: '#7aa6c2' }, encoding: { y, x: x('value') } },
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', strokeWidth: 2 },
        encoding: { y, x: x('low'), x2: { field: 'high' } },
      },
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
 * @param {readonly Chart[]} charts one below the other
 */
export async function plotBars(path, charts) {
  const { spec } = compile({
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    background: 'white',
    vconcat: charts.filter(({ bars }) => bars.length > 0).map(specification),
  });
  const view = new View(parse(spec), { renderer: 'none' });
  writeFileSync(path, await view.toSVG());
  view.finalize();
}
