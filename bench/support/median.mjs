/** @param {readonly number[]} numbers at least one */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The distance of the extremes, as a part of the median; undefined where that is 0 and they are not.
 * @param {readonly number[]} numbers at least one
 */
export function spread(numbers) {
  const distance = Math.max(...numbers) - Math.min(...numbers);
  if (distance === 0) return 0;
  const middle = median(numbers);
  return middle === 0 ? undefined : distance / middle;
}

/** As it stands in a table. @param {readonly number[]} numbers at least one */
export function spreadText(numbers) {
  const part = spread(numbers);
  return part === undefined ? `to ${Math.max(...numbers).toPrecision(2)}` : `${Math.round(part * 100)} %`;
}

/**
 * Round by round: what disturbed the machine in one round disturbed both.
 * @param {readonly number[]} figures
 * @param {readonly number[]} peers of the same rounds
 */
export function ratios(figures, peers) {
  return figures.map((figure, round) => figure / peers[round]);
}
