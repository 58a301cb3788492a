/** Recognises programs by their first bytes, so that none can pass under a harmless name. */

interface ProgramType {
  name: string;
  extensions: readonly string[];
}

const ELF: ProgramType = { name: "an ELF program", extensions: ["so", "o", "elf", "bin", "ko", "axf"] };
const PE: ProgramType = {
  name: "a Windows program",
  extensions: ["exe", "dll", "sys", "scr", "com", "ocx", "efi"],
};
const MACH_O: ProgramType = { name: "a macOS program", extensions: ["dylib", "bundle", "o", "bin"] };

/** Bytes of the beginning that `programType` looks at. */
export const PROGRAM_HEADER_BYTES = 68;

/** What the content is, where it is native code: ELF, PE or Mach-O. */
export function programType(head: Uint8Array): ProgramType | undefined {
  if (head.length < 4) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const magic = view.getUint32(0);
  if (magic === 0x7f454c46) return ELF;
  if ([0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe].includes(magic)) return MACH_O;
  // A universal Mach-O has a small count of architectures here, a Java class file its version.
  if (magic === 0xcafebabe && head.length >= 8 && view.getUint32(4) < 20) return MACH_O;
  // `MZ` alone begins many a text; a program's header also holds the offset of the next one.
  if (
    view.getUint16(0) === 0x4d5a &&
    head.length >= 64 &&
    view.getUint32(60, true) >= 64 &&
    view.getUint32(60, true) < 0x10000
  )
    return PE;
  return undefined;
}
