/** Jupyter counts code points, our requests UTF-16 units. */

export function toUtf16(text: string, codePoints: number): number {
  let at = 0;
  for (let i = 0; i < codePoints && at < text.length; i++) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return at;
}

export function toCodePoints(text: string, utf16: number): number {
  return [...text.slice(0, utf16)].length;
}
