/** Edits (a letter added, dropped or changed) that turn `from` into `to`: the Levenshtein distance. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const changed = previous[column - 1] + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(changed, previous[column] + 1, current[column - 1] + 1));
    }
    previous = current;
  }
  return previous[to.length];
}

/** The candidate that `word` is most likely a slip of; undefined where none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  // A cfgstring can be long; no name is.
  if (word.length > 64) return undefined;
  let best: string | undefined;
  let bestDistance = Math.floor(word.length / 3) + 2;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
