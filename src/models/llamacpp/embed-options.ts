/** What `providerOptions` of a local backend, and scripts, may say about a call for vectors or scores. */
import { Type } from "typebox";

const truncate = Type.Optional(
  Type.Boolean({ description: "Cut what does not fit into the context; else it is refused" }),
);

export const EMBED_OPTIONS = Type.Object(
  {
    normalize: Type.Optional(Type.Boolean({ description: "Vectors of length 1. Default true" })),
    pooling: Type.Optional(
      Type.String({
        description:
          '"mean", "cls" or "last": which token states make the vector. Default: as the model\'s file says',
      }),
    ),
    truncate,
  },
  { additionalProperties: false },
);

export const RANK_OPTIONS = Type.Object({ truncate }, { additionalProperties: false });
