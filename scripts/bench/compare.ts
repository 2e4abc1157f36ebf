import { performance } from 'node:perf_hooks'

/** The median, minimum and maximum of repeated measurements. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** A row of a suite's table. */
export interface Result {
  readonly what: string
  readonly against: string
  /** The measured values with their units. */
  readonly figures: string
  /** Our value divided by theirs, for each round. Absent if there is no comparison. */
  readonly ratio?: Spread
  readonly aim?: Aim
}

export interface Aim {
  readonly is: 'at least' | 'at most'
  readonly value: number
  /** The unit of `measured`. Absent if the aim is about the ratio. */
  readonly unit?: string
  /** The value that the aim is about. Default: the ratio. */
  readonly measured?: Spread
}

export interface Suite {
  readonly name: string
  readonly title: string
  readonly explanation: string
  readonly results: readonly Result[]
}

/** Runs every contestant once per round, starting with a different one each time, so that a slow phase affects all of them. */
export async function rounds<Name extends string>(
  count: number,
  contestants: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contestants) as Name[]
  const measured = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>
  for (let round = 0; round < count; round += 1) {
    const shift = round % names.length
    for (const name of [...names.slice(shift), ...names.slice(0, shift)]) measured[name].push(await contestants[name]())
  }
  return measured
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  return { median: quantile(sorted, 0.5), least: sorted[0] ?? Number.NaN, most: sorted.at(-1) ?? Number.NaN }
}

/** The ratios of each round. A slow phase of the machine affects both values of a round. */
export const ratio = (ours: readonly number[], theirs: readonly number[]): Spread =>
  spread(ours.map((value, round) => value / theirs[round]!))

/** The quantile of values in ascending order. */
export const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN

export async function millisecondsOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

export function show({ median, least, most }: Spread, digits = 2): string {
  const [m, l, h] = [median, least, most].map((value) => value.toFixed(digits))
  return l === h ? `${m}` : `${m} (${l}–${h})`
}

export const isMet = ({ aim, ratio }: Result): boolean | undefined => {
  const value = (aim?.measured ?? ratio)?.median
  if (aim === undefined || value === undefined) return undefined
  return aim.is === 'at least' ? value >= aim.value : value <= aim.value
}
