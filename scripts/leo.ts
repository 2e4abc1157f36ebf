import process from 'node:process'
import { Command, CommanderError } from 'commander'
import { settings, type LeoCommand } from './core/command.ts'
import { Failure, main } from './core/failure.ts'
import { readMakeVariables } from './core/make-variables.ts'
import { printable } from './core/text.ts'

/**
 * The command line. Each command is a file, and only that of the named command is loaded: `leo status` need not wait
 * for the compiler that `leo diff` uses.
 */
const groups: Readonly<Record<string, Readonly<Record<string, () => Promise<{ command: LeoCommand }>>>>> = {
  Everyone: {
    up: () => import('./commands/up.ts'),
    down: () => import('./commands/down.ts'),
    reset: () => import('./commands/reset.ts'),
    psql: () => import('./commands/psql.ts'),
    test: () => import('./commands/test.ts'),
  },
  Developers: {
    new: () => import('./commands/new.ts'),
    generate: () => import('./commands/generate.ts'),
    docs: () => import('./commands/docs.ts'),
    check: () => import('./commands/check.ts'),
    diff: () => import('./commands/diff.ts'),
    sizes: () => import('./commands/sizes.ts'),
    build: () => import('./commands/build.ts'),
    package: () => import('./commands/package.ts'),
    'test-matrix': () => import('./commands/test-matrix.ts'),
    bench: () => import('./commands/bench.ts'),
    'bench-upgrade': () => import('./commands/bench-upgrade.ts'),
    'bench-costs': () => import('./commands/bench-costs.ts'),
  },
  DBA: {
    status: () => import('./commands/status.ts'),
    migrate: () => import('./commands/migrate.ts'),
    adopt: () => import('./commands/adopt.ts'),
    preflight: () => import('./commands/preflight.ts'),
    backfill: () => import('./commands/backfill.ts'),
    'put-back': () => import('./commands/put-back.ts'),
    verify: () => import('./commands/verify.ts'),
    rollback: () => import('./commands/rollback.ts'),
    doctor: () => import('./commands/doctor.ts'),
    'verify-audit': () => import('./commands/verify-audit.ts'),
    'key-usage': () => import('./commands/key-usage.ts'),
    'rotate-keys': () => import('./commands/rotate-keys.ts'),
    'import-env': () => import('./commands/import-env.ts'),
    'export-env': () => import('./commands/export-env.ts'),
    retention: () => import('./commands/retention.ts'),
    'export-user': () => import('./commands/export-user.ts'),
    'erase-user': () => import('./commands/erase-user.ts'),
  },
}

const loaders = Object.assign({}, ...Object.values(groups)) as Readonly<Record<string, () => Promise<{ command: LeoCommand }>>>

/** `leo --make status`: with the variables of make's command line as options. */
async function runFromMake([name = '', ...args]: readonly string[]): Promise<number> {
  const variables = readMakeVariables(process.env['MAKEFLAGS'])
  // They are of this command, not of a make that it runs.
  for (const key of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL']) delete process.env[key]
  const command = await load(name)
  return run([name, ...args, ...command.acceptVariables(variables)], true)
}

async function load(name: string): Promise<LeoCommand> {
  const loader = Object.hasOwn(loaders, name) ? loaders[name] : undefined
  if (!loader) throw new Failure(`unknown command ${printable(name)}`, 'see `make help` or `npx tsx scripts/leo.ts --help`')
  return (await loader()).command
}

async function run(args: readonly string[], isFromMake = false): Promise<number> {
  const [name = ''] = args
  const isForAll = ['-h', '--help', 'help'].includes(name)
  const commands = isForAll ? await Promise.all(Object.keys(loaders).map(load)) : [await load(name)]
  const program = new Command('leo')
    .description('The command line of leo-saas-schema. `make <command> <option>=<value>` runs it, too.')
    .helpOption('-h, --help', 'show this help')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText('after', epilogue)
    .addHelpCommand(new Command('help').argument('[command]').description('Show the help of a command').helpGroup('Everyone:'))
  for (const [title, members] of Object.entries(groups)) {
    for (const command of commands) if (Object.hasOwn(members, command.name())) program.addCommand(command.helpGroup(`${title}:`))
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return commands.find((command) => command.name() === name)?.exitCode ?? 0
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return 0
    const [command] = commands
    if (!isForAll && command) throw command.explain(error, isFromMake)
    throw new Failure(error.message.replace(/^error: /, ''), 'see `npx tsx scripts/leo.ts --help`')
  }
}

const epilogue = `
Options as variables of make: dry=1 is --dry, time_zone=UTC is --time-zone=UTC; 0 or an empty value leaves a flag out.
make reports every failure as 2. For the exit codes of a command (leo <command> --help) run it without make:
  npx tsx scripts/leo.ts verify
  npm run --silent leo -- verify --json

Environment:
${Object.entries(settings).map(([name, text]) => `  ${name.padEnd(13)}  ${text}`).join('\n')}`

await main(() => {
  const [first, ...rest] = process.argv.slice(2)
  return first === '--make' ? runFromMake(rest) : run(first === undefined ? ['--help'] : [first, ...rest])
})
