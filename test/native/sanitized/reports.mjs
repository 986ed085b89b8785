// What the sanitizers wrote, and which of it is about the addon.

/** Frames that only pass an allocation on. */
const ALLOCATORS = /\/(libasan|libubsan|libstdc\+\+)\.so[^/]*$/;

/** The addon's file, as the sanitizers name the module of a frame. */
const ADDON = /\/lunette\.node$/;

/**
 * One report a leaked block, and one for everything else that was found.
 * @param text of the sanitizers' logs, whose stack frames are `#N MODULE FUNCTION PLACE`
 * @returns {{ kind: 'leak' | 'error', text: string, modules: string[] }[]}
 */
export function readReports(text) {
  return text
    .split(/\n(?=(?:Direct|Indirect) leak of |=+\n==\d+==ERROR: |[^\n]*: runtime error: )/)
    .filter((part) =>
      / leak of |ERROR: AddressSanitizer|: runtime error: |has encountered a fatal error/.test(part),
    )
    .map((part) => {
      const frames = [...part.matchAll(/^ {4}#\d+ (\S+)/gm)];
      return {
        kind: /^(Direct|Indirect) leak of /.test(part) ? 'leak' : 'error',
        text: part.trim(),
        modules: frames.map(([, module]) => module.replace(/^\(|\+0x[0-9a-f]+\)?$/g, '')),
      };
    });
}

/**
 * A leak is the addon's own where the addon itself allocated: what node allocates below a call of ours is node's. Every
 * error counts, wherever it is, as only the addon is instrumented.
 */
export function isOurs({ kind, modules }) {
  if (kind === 'error') return true;
  const allocator = modules.find((module) => !ALLOCATORS.test(module));
  return allocator !== undefined && ADDON.test(allocator);
}
