import { expect } from 'chai';
import fc from 'fast-check';
import * as cdb from '../../src/scsi/cdb.js';
import { LogicalUnit } from '../../src/scsi/logical-unit.js';
import { serviceAction } from '../../src/scsi/opcode.js';
import { TestDisk } from './support/disk.js';
import { Initiator, key } from './support/initiator.js';
import { iscsiNexus, iscsiTransportId } from './support/nexus.js';

/*
 * Several initiators against one unit, at random, beside a model that is as plain as the standard's tables:
 * a key for each nexus, a reservation, and a list of unit attentions for each nexus.
 */

/** Two ports of one initiator, and two other initiators. */
const nexuses: [string, number][] = [
  ['iqn.test:a', 1],
  ['iqn.test:a', 2],
  ['iqn.test:b', 1],
  ['iqn.test:c', 1],
];
const [WE, EA, WERO, EARO, WEAR, EAAR] = [1, 3, 5, 6, 7, 8];
const all = (type: number): boolean => type === WEAR || type === EAAR;
const shared = (type: number): boolean => type >= WERO;
const reading = (type: number): boolean => type === WE || type === WERO || type === WEAR;

class Model {
  keys = [0, 0, 0, 0];
  generation = 0;
  reservation?: { type: number; holder: number };
  /** Who holds RESERVE(6). */
  reserver?: number;
  attentions: string[][] = [[], [], [], []];

  tell(code: string, to: (index: number) => boolean): void {
    this.attentions.forEach((list, index) => {
      if (!to(index)) return;
      if (list.includes(code)) list.splice(list.indexOf(code), 1);
      list.push(code);
    });
  }

  holds(index: number): boolean {
    const { reservation, keys } = this;
    if (!reservation || keys[index] === 0) return false;
    return all(reservation.type) || reservation.holder === index;
  }

  /** What a command over a nexus ends with before it is run. */
  refusal(index: number, way: 'read' | 'write' | 'persistent' | 'none'): string | undefined {
    const list = this.attentions[index];
    if (list[0] === '6/29/00') return list.splice(0)[0];
    if (list.length > 0) return list.shift();
    if (this.reserver !== undefined && (this.reserver !== index || way === 'persistent')) return 'conflict';
    if (way === 'none' || way === 'persistent' || !this.reservation) return undefined;
    const { type } = this.reservation;
    if (this.holds(index) || (shared(type) && this.keys[index] !== 0)) return undefined;
    return way === 'read' && reading(type) ? undefined : 'conflict';
  }

  unregister(index: number): void {
    const held = this.holds(index);
    this.keys[index] = 0;
    if (!held) return;
    const { type } = this.reservation!;
    if (all(type) && this.keys.some((one) => one !== 0)) return;
    this.reservation = undefined;
    if (shared(type)) this.tell('6/2a/04', (other) => this.keys[other] !== 0);
  }
}

interface Real {
  readonly unit: LogicalUnit;
  readonly initiators: Initiator[];
}

type Step = (model: Model, real: Real) => Promise<void>;

class Action implements fc.AsyncCommand<Model, Real> {
  constructor(
    readonly text: string,
    readonly step: Step,
  ) {}

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    await this.step(model, real);
    const { state } = real.unit.reservations;
    expect(state.generation, 'generation').to.equal(model.generation);
    const registered = Array.from(
      state.registrations.values(),
      (one) => `${one.initiator}@${one.port} ${one.key}`,
    );
    const expected = nexuses.flatMap(([name, port], index) =>
      model.keys[index] === 0 ? [] : [`45:${name},i,0x400001370000@${port} ${key(model.keys[index])}`],
    );
    expect(registered.sort(), 'registrations').to.deep.equal(expected.sort());
    expect(state.reservation?.type, 'type').to.equal(model.reservation?.type);
    const active = model.reservation !== undefined || model.reserver !== undefined;
    expect(real.unit.reservations.active, 'active').to.equal(active);
  }

  toString(): string {
    return this.text;
  }
}

/** Chosen when the command is sent: mostly what fits the state then, so that the rarer states are reached. */
type Choice = (model: Model, index: number) => number;

/** A command of one initiator: `expected` changes the model where the command is run, and says how it ends. */
function command(
  text: string,
  index: number,
  way: 'read' | 'write' | 'persistent' | 'none',
  choices: readonly Choice[],
  send: (initiator: Initiator, ...chosen: number[]) => Promise<string>,
  expected: (model: Model, ...chosen: number[]) => string,
): Action {
  return new Action(`${nexuses[index].join('@')} ${text}`, async (model, { initiators }) => {
    const chosen = choices.map((choose) => choose(model, index));
    const outcome = model.refusal(index, way) ?? expected(model, ...chosen);
    expect(await send(initiators[index], ...chosen), `${text} ${chosen.join(' ')}`).to.equal(outcome);
  });
}

const who = fc.nat(nexuses.length - 1);
/** 0 is no key; few, so that they meet. */
const someKey = fc.nat(3);
const someType = fc.constantFrom(WE, EA, WERO, EARO, WEAR, EAAR);
const mostly = fc.integer({ min: 0, max: 9 }).map((dice) => dice > 0);
/** The sender's own key, or now and then another. */
const ownKey: fc.Arbitrary<Choice> = fc
  .tuple(mostly, someKey)
  .map(([right, other]) => (right ? ({ keys }, index) => keys[index] : () => other));
/** The key of anyone, or now and then zero. */
const anyKey: fc.Arbitrary<Choice> = fc
  .tuple(fc.integer({ min: 0, max: 3 }), who)
  .map(([dice, other]) => (dice > 0 ? ({ keys }) => keys[other] : () => 0));
/** The type of the reservation, or now and then another. */
const presentType: fc.Arbitrary<Choice> = fc
  .tuple(mostly, someType)
  .map(([right, other]) => (right ? ({ reservation }) => reservation?.type ?? other : () => other));

const registering = fc.tuple(who, ownKey, someKey, fc.boolean()).map(([index, own, to, ignore]) =>
  command(
    `REGISTER${ignore ? ' AND IGNORE' : ''} ${to}`,
    index,
    'persistent',
    [own],
    (initiator, from) =>
      initiator.out(ignore ? 'registerAndIgnoreExistingKey' : 'register', {
        key: key(from),
        serviceActionKey: key(to),
      }),
    (model, from) => {
      if (!ignore && model.keys[index] !== from) return 'conflict';
      if (to === 0 && model.keys[index] === 0) return 'good';
      model.generation++;
      if (to === 0) model.unregister(index);
      else model.keys[index] = to;
      return 'good';
    },
  ),
);

const reserving = fc.tuple(who, ownKey, someType).map(([index, ownKey, type]) =>
  command(
    `RESERVE type ${type}`,
    index,
    'persistent',
    [ownKey],
    (initiator, own) => initiator.out('reserve', { key: key(own) }, type),
    (model, own) => {
      if (own === 0 || model.keys[index] !== own) return 'conflict';
      if (model.reservation && !(model.holds(index) && model.reservation.type === type)) return 'conflict';
      model.reservation ??= { type, holder: index };
      return 'good';
    },
  ),
);

const releasing = fc.tuple(who, ownKey, presentType).map(([index, ...choices]) =>
  command(
    'RELEASE',
    index,
    'persistent',
    choices,
    (initiator, own, type) => initiator.out('release', { key: key(own) }, type),
    (model, own, type) => {
      if (own === 0 || model.keys[index] !== own) return 'conflict';
      if (!model.holds(index)) return 'good';
      if (model.reservation!.type !== type) return '5/26/04';
      model.reservation = undefined;
      if (shared(type)) model.tell('6/2a/04', (other) => other !== index && model.keys[other] !== 0);
      return 'good';
    },
  ),
);

const clearing = fc.tuple(who, ownKey).map(([index, choice]) =>
  command(
    'CLEAR',
    index,
    'persistent',
    [choice],
    (initiator, own) => initiator.out('clear', { key: key(own) }),
    (model, own) => {
      if (own === 0 || model.keys[index] !== own) return 'conflict';
      model.tell('6/2a/03', (other) => other !== index && model.keys[other] !== 0);
      model.generation++;
      model.keys.fill(0);
      model.reservation = undefined;
      return 'good';
    },
  ),
);

function preempted(model: Model, index: number, own: number, victim: number, type: number): string {
  if (own === 0 || model.keys[index] !== own) return 'conflict';
  const { reservation } = model;
  const everybody = reservation !== undefined && all(reservation.type);
  if (victim === 0 && !everybody) return '5/26/00';
  const isVictim = model.keys.map((one) => one !== 0 && (victim === 0 || one === victim));
  if (!isVictim.includes(true)) return 'conflict';
  model.generation++;
  const takesOver = reservation !== undefined && (everybody ? victim === 0 : isVictim[reservation.holder]);
  model.tell('6/2a/05', (other) => other !== index && isVictim[other]);
  for (let other = 0; other < model.keys.length; other++) {
    if (isVictim[other] && !(takesOver && other === index)) model.keys[other] = 0;
  }
  if (takesOver) {
    model.reservation = { type, holder: index };
    if (type !== reservation.type) {
      model.tell('6/2a/04', (other) => other !== index && model.keys[other] !== 0);
    }
  } else if (everybody && model.keys.every((one) => one === 0)) {
    model.reservation = undefined;
  }
  return 'good';
}

const preempting = fc
  .tuple(
    who,
    ownKey,
    anyKey,
    fc.oneof(
      presentType,
      someType.map((type) => () => type),
    ),
    fc.boolean(),
  )
  .map(([index, own, victim, type, abort]) =>
    command(
      `PREEMPT${abort ? ' AND ABORT' : ''}`,
      index,
      'persistent',
      [own, victim, type],
      (initiator, from, serviceAction, newType) =>
        initiator.out(
          abort ? 'preemptAndAbort' : 'preempt',
          { key: key(from), serviceActionKey: key(serviceAction) },
          newType,
        ),
      (model, ...chosen) => preempted(model, index, ...(chosen as [number, number, number])),
    ),
  );

const moving = fc
  .tuple(who, who, ownKey, someKey, fc.boolean())
  .map(([index, target, choice, to, unregister]) => {
    const [name, port] = nexuses[target];
    return command(
      `REGISTER AND MOVE ${to} to ${name}@${port}`,
      index,
      'persistent',
      [choice],
      (initiator, own) => {
        const list = cdb.registerAndMoveParameters({
          key: key(own),
          serviceActionKey: key(to),
          unregister,
          port,
          transportId: iscsiTransportId(name),
        });
        return initiator.does(cdb.persistentReserveOut(serviceAction.registerAndMove, 0, list.length), list);
      },
      (model, own) => {
        const { reservation, keys } = model;
        if (own === 0 || keys[index] !== own) return 'conflict';
        if (!reservation || all(reservation.type) || reservation.holder !== index) return 'conflict';
        if (to === 0 || target === index) return '5/26/00';
        model.generation++;
        keys[target] = to;
        model.reservation = { type: reservation.type, holder: target };
        if (unregister) keys[index] = 0;
        return 'good';
      },
    );
  });

const using = fc
  .tuple(who, fc.constantFrom('read' as const, 'write' as const, 'none' as const))
  .map(([index, way]) =>
    command(
      way,
      index,
      way,
      [],
      (initiator) =>
        way === 'read'
          ? initiator.reads()
          : way === 'write'
            ? initiator.writes()
            : initiator.does(cdb.testUnitReady()),
      () => 'good',
    ),
  );

const reservingUnit = fc.tuple(who, fc.boolean()).map(
  ([index, reserve]) =>
    new Action(`${nexuses[index].join('@')} ${reserve ? 'RESERVE' : 'RELEASE'}(6)`, async (model, real) => {
      const outcome = ((): string => {
        const list = model.attentions[index];
        if (list[0] === '6/29/00') return list.splice(0)[0];
        if (list.length > 0) return list.shift()!;
        if (model.keys.some((one) => one !== 0)) {
          const mine =
            model.holds(index) || (model.keys[index] !== 0 && shared(model.reservation?.type ?? 0));
          return mine ? 'good' : 'conflict';
        }
        if (reserve && model.reserver !== undefined && model.reserver !== index) return 'conflict';
        if (reserve) model.reserver = index;
        else if (model.reserver === index) model.reserver = undefined;
        return 'good';
      })();
      const bytes = reserve ? cdb.reserve6() : cdb.release6();
      expect(await real.initiators[index].does(bytes)).to.equal(outcome);
    }),
);

const relogging = who.map(
  (index) =>
    new Action(`${nexuses[index].join('@')} logs in again`, async (model, { unit, initiators }) => {
      await unit.nexusLost(initiators[index].nexus);
      initiators[index].nexus = iscsiNexus(...nexuses[index]);
      model.attentions[index] = ['6/29/00'];
      if (model.reserver === index) model.reserver = undefined;
    }),
);

const resetting = fc.constant(
  new Action('LOGICAL UNIT RESET', async (model, { unit }) => {
    await unit.reset();
    model.reserver = undefined;
    // Who has not seen the power-on yet is told of that only.
    model.attentions = model.attentions.map((list) => (list[0] === '6/29/00' ? list : ['6/29/03']));
  }),
);

describe('reservations and unit attentions of several initiators', () => {
  it('are as a plain model has them', async () => {
    const actions = [
      registering,
      registering,
      registering,
      reserving,
      reserving,
      releasing,
      clearing,
      preempting,
      preempting,
      moving,
      using,
      using,
      using,
      reservingUnit,
      relogging,
      resetting,
    ];
    await fc.assert(
      fc.asyncProperty(fc.commands(actions, { size: '+1', maxCommands: 120 }), async (commands) => {
        const setup = (): { model: Model; real: Real } => {
          const unit = new LogicalUnit(new TestDisk(8));
          const initiators = nexuses.map((one) => new Initiator(unit, iscsiNexus(...one)));
          return { model: new Model(), real: { unit, initiators } };
        };
        await fc.asyncModelRun(setup, commands);
      }),
      { numRuns: Number(process.env.RESERVATION_RUNS ?? 300) },
    );
  }).timeout(0);
});
