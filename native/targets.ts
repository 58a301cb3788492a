/** What each target needs: its npm package, its compilers, the machine that the headers of its files must name. */
export interface Target {
  name: string;
  /** npm package with llama.cpp's libraries, and the folder of them inside. */
  package: string;
  bins: string;
  shim: string;
  /** Library files that are staged beside the shim. */
  libraries: RegExp;
  /** Libraries the shim is linked with, matched against the staged names. */
  linked: readonly RegExp[];
  compilers: readonly { c: string; cxx: string }[];
  linkFlags: (directory: string, names: string[]) => string[];
  matches: (header: DataView) => boolean;
}

const ELF_MAGIC = 0x7f454c46;
const MACHO_64_MAGIC = 0xcffaedfe;

const isElf = (machine: number) => (header: DataView) =>
  header.getUint32(0) === ELF_MAGIC && header.getUint16(18, true) === machine;

const isMachO = (cpu: number) => (header: DataView) =>
  header.getUint32(0) === MACHO_64_MAGIC && header.getUint32(4, true) === cpu;

const elfLink = (directory: string, names: string[]) => [
  "-shared",
  `-L${directory}`,
  ...names.map((name) => `-l:${name}`),
  "-Wl,-rpath,$ORIGIN",
  "-Wl,--no-undefined",
  "-Wl,-s",
];

const machOLink = (directory: string, names: string[]) => [
  "-dynamiclib",
  ...names.map((name) => `${directory}/${name}`),
  "-Wl,-rpath,@loader_path",
];

const LINKED = [/^libllama-common\./, /^libllama\./, /^libggml\./, /^libggml-base\./];

const linux = (cpu: "x64" | "arm64", machine: number, triple: string, native: boolean): Target => ({
  name: `linux-${cpu}`,
  package: `@node-llama-cpp/linux-${cpu}`,
  bins: `bins/linux-${cpu}`,
  shim: "libllmspell-llama.so",
  libraries: /^lib(ggml|llama).*\.so$/,
  linked: LINKED,
  compilers: [
    ...(native
      ? [
          { c: "gcc", cxx: "g++" },
          { c: "clang", cxx: "clang++" },
          { c: "cc", cxx: "c++" },
        ]
      : []),
    { c: `${triple}-gcc`, cxx: `${triple}-g++` },
  ],
  linkFlags: elfLink,
  matches: isElf(machine),
});

const darwin = (cpu: "arm64" | "x64", pack: string, cpuType: number): Target => ({
  name: `darwin-${cpu}`,
  package: `@node-llama-cpp/${pack}`,
  bins: `bins/${pack}`,
  shim: "libllmspell-llama.dylib",
  libraries: /^lib(ggml|llama).*\.(dylib|so|metal)$/,
  linked: LINKED,
  compilers: process.platform === "darwin" ? [{ c: "clang", cxx: "clang++" }] : [],
  linkFlags: machOLink,
  matches: isMachO(cpuType),
});

const host = `${process.platform}-${process.arch}`;

export const TARGETS: readonly Target[] = [
  linux("x64", 62, "x86_64-linux-gnu", host === "linux-x64"),
  linux("arm64", 183, "aarch64-linux-gnu", host === "linux-arm64"),
  darwin("arm64", "mac-arm64-metal", 0x0100000c),
  darwin("x64", "mac-x64", 0x01000007),
];

/** Why a target cannot be built here, for those that no compiler on `PATH` serves. */
export function missingCompiler(target: Target): string {
  if (target.compilers.length === 0) return "it takes a Mac with Apple's command line tools";
  return `none of these C++ compilers is installed: ${target.compilers.map(({ cxx }) => cxx).join(", ")}`;
}
