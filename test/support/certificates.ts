/** A certificate authority of a company, made for one test: a root, one below it, and the certificate of `localhost`. */
import { join } from "node:path";
import { $ } from "bun";

export interface Certificates {
  /** Files in PEM. */
  root: string;
  intermediate: string;
  leaf: string;
  leafKey: string;
}

/** @param name the organization; certificates of different names do not trust each other */
export async function companyCertificates(directory: string, name: string): Promise<Certificates> {
  const file = (part: string, kind = "crt") => join(directory, `${name}-${part}.${kind}`);
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const asCa = ["-addext", "basicConstraints=critical,CA:true"];
  await $`openssl req -x509 ${ec} -keyout ${file("root", "key")} -out ${file("root")} -days 2 -subj /O=${name}/CN=root ${asCa}`.quiet();
  const signed = async (part: string, by: string, subject: string, extensions: string[]) => {
    await $`openssl req -x509 ${ec} -CA ${file(by)} -CAkey ${file(by, "key")} -keyout ${file(part, "key")} -out ${file(part)} -days 2 -subj ${subject} ${extensions}`.quiet();
  };
  await signed("intermediate", "root", `/O=${name}/CN=intermediate`, asCa);
  await signed("leaf", "intermediate", "/CN=localhost", [
    ...["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:false"],
  ]);
  return {
    root: file("root"),
    intermediate: file("intermediate"),
    leaf: file("leaf"),
    leafKey: file("leaf", "key"),
  };
}
