const minute = 60
const hour = 60 * minute
const MiB = 1024 ** 2

/** Replaces control, format and line-separator characters, so that names and values from a database cannot control a terminal. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')

export const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`

/** A duration in the largest unit that keeps it readable. */
export function span(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 2 * hour) return `${Math.round(seconds / minute)} min`
  return seconds < 48 * hour ? `${Math.round(seconds / hour)} h` : `${Math.round(seconds / (24 * hour))} days`
}

export const size = (bytes: number): string => `${(bytes / MiB).toFixed(bytes < 10 * MiB ? 1 : 0)} MiB`

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
