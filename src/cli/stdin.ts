/** Lines of standard input, read only when somebody asks. */
export class LineReader {
  private chunks: AsyncIterator<Uint8Array> | undefined;
  private readonly decoder = new TextDecoder();
  private buffered = "";
  private ended = false;

  /** The next line without its end; null at the end of input. */
  async line(): Promise<string | null> {
    for (;;) {
      const end = this.buffered.indexOf("\n");
      if (end !== -1) {
        const line = this.buffered.slice(0, end);
        this.buffered = this.buffered.slice(end + 1);
        return line.endsWith("\r") ? line.slice(0, -1) : line;
      }
      if (this.ended) {
        const rest = this.buffered;
        this.buffered = "";
        return rest === "" ? null : rest;
      }
      this.chunks ??= (Bun.stdin.stream() as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
      const { done, value } = await this.chunks.next();
      if (done) this.ended = true;
      else this.buffered += this.decoder.decode(value, { stream: true });
    }
  }
}
