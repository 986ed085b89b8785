import { expect } from 'chai';
import { checkKernel, type PrerequisiteOptions, type Problem } from '../../src/target/prerequisites.js';
import { FixtureTree } from './fixture.js';

describe('checkKernel', () => {
  let tree: FixtureTree;
  beforeEach(() => {
    tree = new FixtureTree();
    tree.loadModule();
    tree.write('bus', '');
  });
  afterEach(() => tree.close());

  const check = (options: Partial<PrerequisiteOptions> = {}): Problem[] =>
    checkKernel({
      bus: true,
      sys: tree.sys,
      dev: tree.dev,
      proc: tree.proc,
      uid: 0,
      platform: 'linux',
      busAddress: `unix:path=${tree.root}/bus`,
      ...options,
    });
  const only = (problems: Problem[]): Problem => {
    expect(problems).to.have.length(1);
    expect(problems[0].message).not.to.include('\n');
    return problems[0];
  };

  it('finds nothing where all is well', () => {
    tree.addDevice({ uio: 0, name: 'a', devConfig: 'memory/' });
    expect(check()).to.deep.equal([]);
  });

  it('asks for the module', () => {
    tree.remove('sys/module');
    const { message, fatal } = only(check());
    expect(message).to.include('modprobe target_core_user');
    expect(fatal).to.equal(true);
  });

  it('asks for configfs', () => {
    tree.remove('sys/kernel/config/target');
    expect(only(check()).message).to.include('mount -t configfs none /sys/kernel/config');
  });

  it('asks for root, along with what else is missing', () => {
    tree.remove('sys/module');
    const problems = check({ uid: 1000 });
    expect(problems.map(({ fatal }) => fatal)).to.deep.equal([true, true]);
    expect(problems[0].message).to.include('sudo');
  });

  it('asks for the devices where a container has none', () => {
    tree.addDevice({ uio: 7, name: 'a', devConfig: 'memory/' });
    tree.remove('dev/uio7');
    expect(only(check()).message).to.include(`${tree.dev}/uio7 cannot be opened`);
  });

  it('warns of a missing bus only where one is wanted', () => {
    tree.remove('bus');
    const { message, fatal } = only(check());
    expect(message).to.include('targetcli').and.include('--no-bus');
    expect(fatal).to.equal(false);
    expect(check({ bus: false })).to.deep.equal([]);
  });

  it('warns of tcmu-runner', () => {
    tree.write('proc/123/comm', 'tcmu-runner\n');
    tree.write('proc/124/comm', 'bash\n');
    const { message, fatal } = only(check());
    expect(message).to.include('pid 123').and.include('nl_reply_supported=-1');
    expect(fatal).to.equal(false);
  });

  it('says that other systems have no TCMU', () => {
    expect(only(check({ platform: 'darwin' })).message).to.include('Linux');
  });
});
