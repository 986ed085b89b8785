import { native } from '../../dist/native/addon.js';

/*
 * Counts what crosses the boundary between JavaScript and lunette's addon: every function of the binding, every
 * method of its objects, and every callback that native code calls, is wrapped. What Node does within itself
 * (setImmediate, its own modules) is not counted, nor are views of memory that both sides share.
 */

export class NativeCalls {
  /** By name. @type {Map<string, number>} */
  counts = new Map();

  /** To be called before anything of the binding was used. */
  constructor() {
    const binding = native();
    for (const [name, value] of Object.entries(binding)) {
      if (typeof value !== 'function') continue;
      const isClass = Object.getOwnPropertyNames(value.prototype).length > 1;
      binding[name] = isClass ? this.#countedClass(value, name) : this.#counted(value, name);
    }
  }

  #add(name) {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  #counted(call, name) {
    const add = () => this.#add(name);
    const argument = (value, index) =>
      typeof value === 'function' ? this.#counted(value, `${name}, callback ${index}`) : value;
    const result = (value) => this.#countedObject(value, name);
    return function counted(...args) {
      add();
      return result(call.apply(this, args.map(argument)));
    };
  }

  /** Functions that the binding hands out in an object. */
  #countedObject(value, name) {
    if (Object.prototype.toString.call(value) !== '[object Object]') return value;
    const functions = Object.entries(value).filter(([, member]) => typeof member === 'function');
    if (functions.length === 0) return value;
    const wrapped = functions.map(([key, member]) => [key, this.#counted(member, `${name}.${key}`)]);
    return { ...value, ...Object.fromEntries(wrapped) };
  }

  /** The binding's methods cannot be replaced, but a class derived from theirs may have others. */
  #countedClass(original, name) {
    const derived = class extends original {};
    for (const key of Object.getOwnPropertyNames(original.prototype)) {
      if (key === 'constructor') continue;
      const value = this.#counted(original.prototype[key], `${name}.${key}`);
      Object.defineProperty(derived.prototype, key, { value, configurable: true });
    }
    return derived;
  }
}
