use tikv_jemallocator::Jemalloc;

/// jemalloc, because what the process holds must follow what the byte budget counts: glibc keeps what one kind of buffer has
/// freed from all the others, up to a third above the budget (docs/adr/0003-allocator.md has the figures).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// One arena, so that memory freed by one thread serves the others: buffers are large and few here, so they do not wait for
/// each other. Pages that are free for 50 ms go back to the system, by a thread of jemalloc's own:
/// while S3 is down nobody else calls it.
// jemalloc reads its settings from a symbol of this name (jemalloc(3), TUNING); it is never written.
#[allow(unsafe_code, reason = "a symbol for a C library; nothing else defines it")]
#[unsafe(export_name = "_rjem_malloc_conf")]
static SETTINGS: &[u8; 68] = b"narenas:1,dirty_decay_ms:50,muzzy_decay_ms:0,background_thread:true\0";
