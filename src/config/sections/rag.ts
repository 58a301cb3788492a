import { choice, flag, integer, number, PATH, section, text, unset } from "../fields.ts";

const Hnsw = section("The vector index. Ranges are checked when retrieval is enabled.", {
  m: integer(16, "Links of a node: 2 to 100"),
  ef_construction: integer(200, "Candidates while building: at least `m`"),
  ef_search: integer(50, "Candidates while searching: at least 1"),
  max_elements: integer(1_000_000, "Vectors the index is laid out for"),
  seed: unset.integer("Seed of the level generator"),
  metric: choice(["cosine", "euclidean", "innerproduct"], "cosine", "Distance (alias inner_product)"),
  allow_replace_deleted: flag(true, "Reuse the place of deleted vectors"),
  num_threads: unset.integer("Threads for bulk work; as many as cores when absent"),
  nb_layers: unset.integer("Layers: 1 to 64"),
  parallel_batch_size: integer(128, "Vectors added at a time"),
  enable_mmap: flag(false, "Map the index from its file"),
  mmap_sync_interval: integer(60, "Seconds between writes of the mapped file"),
});

export const Rag = section("Retrieval.", {
  enabled: flag(false, "Offer the RAG global"),
  multi_tenant: flag(false, "Keep tenants apart"),
  vector_storage: section("Where vectors are kept.", {
    dimensions: integer(384, "Length of a vector", { minimum: 1 }),
    backend: choice(["hnsw"], "hnsw", "Kind of index"),
    persistence_path: unset.text("Directory of the index; in memory when absent", PATH),
    max_memory_mb: integer(500, "Memory for vectors, in MB"),
    hnsw: Hnsw,
  }),
  embedding: section("How text becomes vectors.", {
    default_provider: text("openai", "Provider that embeds"),
    model: unset.text("Embedding model; the provider's own when absent"),
    cache_enabled: flag(true, "Remember embeddings"),
    cache_size: integer(10_000, "Embeddings remembered"),
    cache_ttl_seconds: integer(3600, "How long, in seconds"),
    batch_size: integer(32, "Texts of one request"),
    timeout_seconds: integer(30, "Time for one request, in seconds"),
    max_retries: integer(3, "Attempts after a failed request"),
  }),
  chunking: section("How documents are cut.", {
    strategy: choice(["sliding_window", "semantic", "sentence"], "sliding_window", "Where to cut"),
    chunk_size: integer(512, "Tokens of a chunk"),
    overlap: integer(64, "Tokens two neighbours share"),
    max_chunk_size: integer(2048, "Most tokens of a chunk"),
    min_chunk_size: integer(100, "Fewest tokens of a chunk"),
  }),
  cache: section("Caches of results and documents.", {
    search_cache_enabled: flag(true, "Remember search results"),
    search_cache_size: integer(1000, "Searches remembered"),
    search_cache_ttl_seconds: integer(300, "How long, in seconds"),
    document_cache_enabled: flag(true, "Remember documents"),
    document_cache_size_mb: integer(100, "Memory for documents, in MB"),
  }),
  debug: unset.section("Help with wrong results.", {
    enabled: flag(false, "Log retrieval at level debug"),
    log_all_operations: flag(false, "Log every operation"),
    dump_directory: unset.text("Write intermediate results here", PATH),
  }),
  monitoring: unset.section("Figures and alerts.", {
    enabled: flag(true, "Collect figures"),
    metrics_interval_seconds: integer(60, "Time between figures, in seconds"),
    health_checks: flag(true, "Check the index and the embedding provider"),
    alert_errors_per_minute: integer(10, "Errors a minute that raise an alert"),
  }),
  security: unset.section("Limits for users of retrieval.", {
    audit_file: unset.text("Append who searched what to this file", PATH),
    max_requests_per_user: integer(100, "Requests of one user a minute"),
    max_input_bytes: integer(102_400, "Longest query or document piece, in bytes"),
  }),
  backup: unset.section("Copies of the index.", {
    directory: unset.text("Where copies go", PATH),
    interval_hours: integer(24, "Time between copies, in hours"),
    retention_days: integer(30, "How long copies are kept, in days"),
  }),
  performance: unset.section("Figures for tuning.", {
    metrics_interval_seconds: integer(60, "Time between figures, in seconds"),
    slow_operation_ms: number(100, "Operations that take longer are logged, in milliseconds"),
  }),
});
