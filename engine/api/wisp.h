/* wisp: language models in GGUF files, on CPUs and on GPUs by WebGPU. The C interface.
 *
 * The native library (libwisp) and the WebAssembly modules export exactly these functions; the modules add a few of
 * their own for memory, threads and the page's device. docs/c-api.md tells the same as a story, with an example.
 *
 * The way of a text:
 *
 *     wisp_error *error = wisp_error_create();
 *     wisp_model *model = wisp_model_open_file("model.gguf", error);
 *     wisp_engine *engine = wisp_engine_create(model, NULL, error);
 *     wisp_request *request = wisp_request_create();
 *     wisp_request_set_text(request, "prompt", "Once upon a time", WISP_TO_NUL, error);
 *     wisp_engine_submit(engine, request, error);
 *     wisp_event *event = wisp_event_create();
 *     while (wisp_engine_wait_event(engine, event, error) == WISP_OK && wisp_event_kind(event) != WISP_EVENT_NONE)
 *       if (wisp_event_kind(event) == WISP_EVENT_TOKEN) fputs(wisp_event_text(event), stdout);
 *
 * Errors. A function that can fail takes a `wisp_error` last, which may be NULL, and returns a status, or the new thing
 * and NULL (0 for a request's number) where there is none. The error then holds the status and a sentence that says
 * what is wrong, where, and what to do; after a success it holds WISP_OK and "". There is no global state and no last
 * error. A NULL where something is needed, and a handle of another kind, give WISP_ERROR_INVALID_ARGUMENT; what was
 * destroyed must not be passed. No input ends the process, and no C++ exception comes out of a call.
 *
 * Ownership. What a `_create`, `_open` or `_from_` function returns belongs to the caller, who gives it to the
 * `_destroy` of its kind, once, in any order: engines keep what they need of their model, models of their source.
 * `_destroy(NULL)` does nothing. Arguments are read during the call and never kept, but where a function says so.
 *
 * Results of varying size go into a `wisp_buffer` or a `wisp_event` of the caller, which can be used again and again.
 *
 * Text is UTF-8 with its length in bytes; WISP_TO_NUL as the length takes all before the first NUL. Pointers returned
 * as `const char *` end with a NUL, and stay valid until their handle is filled again or destroyed.
 *
 * Threads. A wisp_model may be used by any number of threads at once. An engine may be called from any thread, too:
 * calls take turns, in the order they came. All other handles belong to one thread at a time. Different engines share
 * nothing but their model and run side by side. No call may destroy what another one is using. Callbacks come on the
 * thread of the call that causes them, and must not call the engine that calls them (WISP_ERROR_INVALID_ARGUMENT) nor
 * throw.
 *
 * Stability. Functions, names and numbers are only added while wisp_abi_version() stays the same. Structures are
 * opaque.
 */
#ifndef WISP_H
#define WISP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define WISP_API
#else
#define WISP_API __attribute__((visibility("default")))
#endif

/* ---- what there is ---- */

/* What went wrong, how, and what to do about it. */
typedef struct wisp_error wisp_error;
/* Bytes, text or token ids that a function gives. */
typedef struct wisp_buffer wisp_buffer;
/* Where the bytes of a model come from. */
typedef struct wisp_source wisp_source;
/* A model file that was opened: metadata, vocabulary, chat template. It holds no weights. */
typedef struct wisp_model wisp_model;
/* How an engine is to be made. */
typedef struct wisp_options wisp_options;
/* A model in memory, and the loop that serves all its requests. */
typedef struct wisp_engine wisp_engine;
/* What is asked of an engine: a prompt, and how tokens are chosen. */
typedef struct wisp_request wisp_request;
/* What an engine tells: a token, logits, an end. */
typedef struct wisp_event wisp_event;
/* The text of an answer, taken apart while it comes: what is said, thought, and called. */
typedef struct wisp_answer wisp_answer;

/* As a length: the text ends before its first NUL. */
#define WISP_TO_NUL SIZE_MAX

typedef enum wisp_status {
  WISP_OK = 0,
  WISP_ERROR_INVALID_ARGUMENT = 1, /* the caller asked for something that makes no sense */
  WISP_ERROR_INVALID_FILE = 2,     /* the bytes contradict their format or each other */
  WISP_ERROR_UNSUPPORTED = 3,      /* well formed, but not known here */
  WISP_ERROR_NOT_FOUND = 4,        /* a named thing does not exist */
  WISP_ERROR_IO = 5,               /* the system refused to read or write */
  WISP_ERROR_OUT_OF_MEMORY = 6,    /* the machine, or what it was granted, is too small */
  WISP_ERROR_NEED_MORE_DATA = 7,   /* a source that is fed lacks bytes: feed it and call again */
  WISP_ERROR_LIMIT = 8,            /* a bound set on purpose (context, queue, size) would be passed */
  WISP_ERROR_CANCELLED = 9,        /* a callback of the caller said so */
  WISP_ERROR_DEVICE = 10,          /* the machine or device lacks or lost something */
  WISP_ERROR_INTERNAL = 11         /* wisp is wrong; please report */
} wisp_status;

/* ---- version ---- */

/* "0.1.0". */
WISP_API const char* wisp_version(void);
/* Rises when a function or a name changes its meaning or goes away. A module's loader compares it. */
WISP_API uint32_t wisp_abi_version(void);
/* "ok", "invalid_argument", "out_of_memory", ...; "unknown" for another number. */
WISP_API const char* wisp_status_name(wisp_status status);

/* ---- errors ---- */

/* NULL when there is no memory, which every function takes for "not interested". */
WISP_API wisp_error* wisp_error_create(void);
WISP_API void wisp_error_destroy(wisp_error* error);
/* Of the last call that was given this error. */
WISP_API wisp_status wisp_error_status(const wisp_error* error);
/* A sentence without a line's end; "" after a success. */
WISP_API const char* wisp_error_message(const wisp_error* error);

/* ---- buffers ---- */

/* Empty. NULL when there is no memory. */
WISP_API wisp_buffer* wisp_buffer_create(void);
WISP_API void wisp_buffer_destroy(wisp_buffer* buffer);
/* The content. A NUL, not counted, stands behind it; aligned for int32_t and float. Never NULL for a valid buffer. */
WISP_API const void* wisp_buffer_data(const wisp_buffer* buffer);
WISP_API size_t wisp_buffer_size(const wisp_buffer* buffer); /* bytes */
/* The same pointer as text, and as token ids, of which there are wisp_buffer_size() / 4. */
WISP_API const char* wisp_buffer_text(const wisp_buffer* buffer);
WISP_API const int32_t* wisp_buffer_ids(const wisp_buffer* buffer);
WISP_API size_t wisp_buffer_id_count(const wisp_buffer* buffer);

/* ---- sources ---- */

/* A file, or the first part of a split model, whose other parts lie beside it. Mapped when a model opens it: it must
 * not shrink until all models and engines are gone. Not in a module: WISP_ERROR_UNSUPPORTED. */
WISP_API wisp_source* wisp_source_from_file(const char* path, wisp_error* error);
/* `size` bytes that the caller keeps, unchanged, until all models and engines of this source are gone. */
WISP_API wisp_source* wisp_source_from_memory(const void* bytes, size_t size, wisp_error* error);
/* Fills `count` bytes from `offset` on, which lie inside the size that was told. Returns WISP_OK, or the status with
 * which the call in progress fails. */
typedef wisp_status (*wisp_read_function)(void* context, uint64_t offset, void* out, size_t count);
/* A file of `size` bytes that `read` reads, one call at a time, while models are opened, engines are made, and in
 * steps: function and context have to live as long as all models and engines of this source. */
WISP_API wisp_source* wisp_source_from_reader(wisp_read_function read, void* context, uint64_t size, wisp_error* error);
/* A file of `size` bytes that arrives in pieces, by wisp_source_feed(). A model opens once its header is there;
 * wisp_engine_create() needs all of it, wisp_engine_load() takes it as it comes. */
WISP_API wisp_source* wisp_source_from_pieces(uint64_t size, wisp_error* error);
/* A split model's next part, of `size` bytes, to be fed like the first one and behind it: offsets count through all
 * parts, so this one's first byte has all sizes before it as its offset. Before a model is opened, which needs the
 * header of every part. */
WISP_API wisp_status wisp_source_add_part(wisp_source* source, uint64_t size, wisp_error* error);
/* A piece, copied; in any order, and what is there already is passed over. WISP_ERROR_INVALID_ARGUMENT
 * past the end of the file. */
WISP_API wisp_status wisp_source_feed(wisp_source* source, uint64_t offset, const void* bytes, size_t count,
                                      wisp_error* error);
/* After WISP_ERROR_NEED_MORE_DATA: the bytes that were missed, [*offset, *offset + *count). */
WISP_API wisp_status wisp_source_wanted(const wisp_source* source, uint64_t* offset, uint64_t* count,
                                        wisp_error* error);
/* Forgets what was fed, to free memory. Engines on a CPU hold all that they need. One on a GPU reads the file again
 * after a loss of its device, and another engine reads it first: both need it fed once more. */
WISP_API wisp_status wisp_source_discard(wisp_source* source, wisp_error* error);
/* 1: what wisp_engine_load() has taken in is forgotten at once, with all that lies in front of it, the header too; so
 * the source holds no more than was fed ahead. What is wanted again (after the loss of a GPU, by another engine) has to
 * be fed again. 0, as it begins: nothing is forgotten but by wisp_source_discard(). */
WISP_API wisp_status wisp_source_set_read_once(wisp_source* source, int on, wisp_error* error);
/* Bytes that were fed and not forgotten. */
WISP_API uint64_t wisp_source_bytes_held(const wisp_source* source);
/* Bytes that models and engines have read so far, not of wisp_source_from_file(). */
WISP_API uint64_t wisp_source_bytes_read(const wisp_source* source);
WISP_API void wisp_source_destroy(wisp_source* source);

/* ---- models ---- */

/* Reads the header: nothing in it is believed. WISP_ERROR_INVALID_FILE says what contradicts what;
 * WISP_ERROR_NEED_MORE_DATA: see wisp_source_wanted(). */
WISP_API wisp_model* wisp_model_open(wisp_source* source, wisp_error* error);
/* The same of wisp_source_from_file(). */
WISP_API wisp_model* wisp_model_open_file(const char* path, wisp_error* error);
WISP_API void wisp_model_destroy(wisp_model* model);
/* A JSON object: "architecture", "name", "supported" and, where it is true, "layers", "d_model", "context" (trained),
 * "vocabulary", "parameters"; "tensors", "tensor_bytes", "tokenizer" (null where there is no usable one),
 * "chat_template" (true or false), "keys" (the names of all metadata). */
WISP_API wisp_status wisp_model_describe(const wisp_model* model, wisp_buffer* out, wisp_error* error);
/* The value of a metadata key as JSON text. WISP_ERROR_NOT_FOUND where there is none. Bytes that are not UTF-8 become
 * U+FFFD, numbers that are not finite null. */
WISP_API wisp_status wisp_model_metadata(const wisp_model* model, const char* key, size_t key_length, wisp_buffer* out,
                                         wisp_error* error);
/* 1: messages can be rendered. */
WISP_API int wisp_model_has_chat_template(const wisp_model* model);
/* What an engine with these options (NULL: defaults) takes on the CPU, from the header alone. A JSON object in bytes:
 * "weights", "kv" (every sequence as long as the context), "activations", "vocabulary", "total", "in_place" (read in
 * the file as needed, not in the total), and "context" in tokens. */
WISP_API wisp_status wisp_model_memory(const wisp_model* model, const wisp_options* options, wisp_buffer* out,
                                       wisp_error* error);
/* The longest context with which wisp_model_memory() stays within `bytes`, in whole KV blocks and at most as long as
 * the model was trained for; 0 where none does. */
WISP_API wisp_status wisp_model_fit(const wisp_model* model, const wisp_options* options, uint64_t bytes,
                                    uint32_t* context, wisp_error* error);

/* ---- text ---- */

enum {
  WISP_ADD_SPECIAL = 1,   /* tokenize: BOS and EOS as the vocabulary's own rule says */
  WISP_PARSE_SPECIAL = 2, /* tokenize: the text of control tokens becomes those tokens. Never for text of a stranger */
  WISP_HIDE_SPECIAL = 4,  /* detokenize: control tokens give nothing, in place of their text */
  WISP_NO_ANSWER_PROMPT = 8 /* chat: without the start of the assistant's answer */
};

/* Token ids of a text (any bytes). `flags`: of WISP_ADD_SPECIAL and WISP_PARSE_SPECIAL. */
WISP_API wisp_status wisp_model_tokenize(const wisp_model* model, const char* text, size_t length, uint32_t flags,
                                         wisp_buffer* out, wisp_error* error);
/* The exact bytes of token ids; of one, its text. `flags`: 0 or WISP_HIDE_SPECIAL. */
WISP_API wisp_status wisp_model_detokenize(const wisp_model* model, const int32_t* ids, size_t count, uint32_t flags,
                                           wisp_buffer* out, wisp_error* error);
/* Token ids of a conversation, by the model's own template. `messages` is JSON as OpenAI's interface has it: an array
 * [{"role": "user", "content": "Hi"}], content being a text or a list of {"type": "text", "text": "..."}; or an object
 * with "messages" and, if you like, "tools", "tool_choice", "parallel_tool_calls", "enable_thinking",
 * "reasoning_effort", "chat_template_kwargs" (docs/tool-calls.md). In a request tools are a grammar, too: calls are
 * calls of these tools. What a message or a tool spells never becomes a control token. WISP_ERROR_UNSUPPORTED for a
 * model without a template. */
WISP_API wisp_status wisp_model_chat_prompt(const wisp_model* model, const char* messages, size_t length,
                                            uint32_t flags, wisp_buffer* out, wisp_error* error);
/* The same as the text that the template writes, for people to read. */
WISP_API wisp_status wisp_model_chat_text(const wisp_model* model, const char* messages, size_t length, uint32_t flags,
                                          wisp_buffer* out, wisp_error* error);

/* ---- answers ---- */

/* For the answer to a request of wisp_model_chat_prompt(), to be fed with the texts of its events, "show_special" being
 * 2: marks of calls are often control tokens. Without tools in the request calls are content like all else. Where the
 * format carries no ids of calls, they are made of the whole text of the request: give it a "seed" where it is asked
 * again. With a "json_schema" or a "regex" in it, as the request has, what is said is taken as it is: only in front of
 * it may be thoughts and marks. */
WISP_API wisp_answer* wisp_answer_create(const wisp_model* model, const char* request, size_t length,
                                         wisp_error* error);
WISP_API void wisp_answer_destroy(wisp_answer* answer);
/* The next piece of text, and what became certain with it: a JSON array of {"type": "content" or "reasoning", "text"},
 * {"type": "call_begin", "index", "id", "name"}, {"type": "arguments", "index", "text"} (more of a JSON object),
 * {"type": "call_end", "index"} and {"type": "error", "index", "text"} (the call is none). However a text is cut, they
 * add up to the same. */
WISP_API wisp_status wisp_answer_feed(wisp_answer* answer, const char* text, size_t length, wisp_buffer* out,
                                      wisp_error* error);
/* The end of the text: what was held back. */
WISP_API wisp_status wisp_answer_finish(wisp_answer* answer, wisp_buffer* out, wisp_error* error);
/* All so far as a message: a JSON object with "role", "content" and, where there are some, "reasoning_content",
 * "tool_calls", "errors" (sentences about calls that are none). */
WISP_API wisp_status wisp_answer_message(const wisp_answer* answer, wisp_buffer* out, wisp_error* error);

/* ---- options of an engine ---- */

/* All defaults. NULL when there is no memory. Options can be changed and used again after an engine was made. */
WISP_API wisp_options* wisp_options_create(void);
WISP_API void wisp_options_destroy(wisp_options* options);
/* By name, each with its range and [default]. Flags are 0 or 1. WISP_ERROR_NOT_FOUND lists the names that there are.
 *
 *   context              tokens of the longest sequence, 0: min(the model's, 4096) [0]
 *   window, sinks        every layer sees the last `window` tokens and the first `sinks`: any length of text in
 *                        constant memory; window 0: off [0, 0]
 *   threads              of the CPU, 0: all processors [0]
 *   max_sequences        requests that run at once [8]
 *   rows                 tokens of a step, all requests together [512]
 *   logit_rows           of them so many may want logits; embeddings may be of all [64]
 *   prompt_chunk         tokens of one prompt in a step, 0: as many as keep others near `inter_token_target_us` [0]
 *   inter_token_target_us  microseconds between two tokens of a request while prompts come in [50000]
 *   steps_ahead          steps that a device may have in flight [4]
 *   memory_limit         bytes for weights, activations, keys and values; a tenth stays free; 0: none [0]
 *   kv_memory            bytes for keys and values, 0: whatever max_sequences of the whole context take [0]
 *   max_waiting_requests, max_waiting_tokens  bounds of the queue; past them submit gives WISP_ERROR_LIMIT
 *                        [1024, 4194304]
 *   event_memory         bytes of events that may wait to be pulled; past them no step is made [268435456]
 *   prefix_cache         reuse what equal starts of prompts have computed [1]
 *   repack               0: matrices stay in the file and are packed on the fly: less memory, less speed [1]
 *   deterministic        on a GPU: the same tokens whatever shares the step (always so on a CPU) [0]
 */
WISP_API wisp_status wisp_options_set_integer(wisp_options* options, const char* name, int64_t value,
                                              wisp_error* error);
/*   device               "cpu", "gpu", "gpu:NAME" (an adapter whose name holds NAME), "reference" (slow scalar code)
 *                        ["cpu"]
 *   kv                   keys and values as "f32", "f16" or "q8_0" ["f16"; on a GPU without the memory q8_0]
 *   tune                 how much a GPU's kernels are measured: "off", "fast", "full" ["fast"]
 *   output               "logits", for requests that make tokens, or "embeddings", for those with "pooling": then the
 *                        output matrix is not loaded, and no token can be made ["logits"]
 *   no_fuse              a fusion pass that is switched off, or "all"; may be set repeatedly []
 */
WISP_API wisp_status wisp_options_set_text(wisp_options* options, const char* name, const char* value, size_t length,
                                           wisp_error* error);
/* All of the above at once, as a JSON object: {"context": 8192, "device": "gpu", "prefix_cache": false}. After a
 * failure nothing has changed. */
WISP_API wisp_status wisp_options_set_json(wisp_options* options, const char* json, size_t length, wisp_error* error);

/* Remarks of the engine (levels 0 debug, 1 info, 2 warning), while it is made and used. Function and context have to
 * live as long as the engine. NULL: none. */
typedef void (*wisp_log_function)(void* context, int level, const char* text, size_t length);
WISP_API wisp_status wisp_options_on_log(wisp_options* options, wisp_log_function log, void* context,
                                         wisp_error* error);
/* While weights load: bytes so far and in all. 0: go on; anything else: stop, with WISP_ERROR_CANCELLED. */
typedef int (*wisp_load_function)(void* context, uint64_t done, uint64_t total);
WISP_API wisp_status wisp_options_on_load(wisp_options* options, wisp_load_function load, void* context,
                                          wisp_error* error);
/* What wisp_engine_take_text() gave on an earlier run about the device (kernels, measurements), kept by the caller
 * under its name. A convenience: without it the same is found out again. */
WISP_API wisp_status wisp_options_put_text(wisp_options* options, const char* name, size_t name_length,
                                           const char* text, size_t length, wisp_error* error);

/* ---- engines ---- */

/* Loads the weights; `options` may be NULL. WISP_ERROR_UNSUPPORTED for an architecture that is not known. On a GPU the
 * kernels go on compiling while steps already ask for them. */
WISP_API wisp_engine* wisp_engine_create(const wisp_model* model, const wisp_options* options, wisp_error* error);
/* The same in steps, for who cannot wait or has not got the whole file yet: an engine without weights, which
 * wisp_engine_load() brings. Everything that can be refused without them is refused here, memory that is too small for
 * them included. Until WISP_LOAD_DONE the engine takes no requests (WISP_ERROR_INVALID_ARGUMENT); it can be destroyed
 * at any time. WISP_ERROR_NEED_MORE_DATA where the graph depends on a tensor that was not fed, as factors of RoPE: feed
 * what wisp_source_wanted() tells and call again, as with wisp_model_memory(). */
WISP_API wisp_engine* wisp_engine_begin(const wisp_model* model, const wisp_options* options, wisp_error* error);
typedef enum wisp_load_state {
  WISP_LOAD_DONE = 0,      /* all weights are there */
  WISP_LOAD_MORE = 1,      /* there is more to do at once */
  WISP_LOAD_WAITS = 2,     /* for a device, which has enough to do. In a page: return to the event loop */
  WISP_LOAD_WANTS_DATA = 3 /* a source that is fed lacks what comes next: see wisp_engine_wanted() */
} wisp_load_state;
/* Takes in the next weights, about 8 MiB of the file (more where 16 rows of a matrix are larger). Never waits for a
 * device. After an error, WISP_ERROR_CANCELLED of the load function included, the engine holds nothing any more, gives
 * that error to every call, and can only be destroyed. A device that is lost meanwhile is no error: the next one gets
 * all weights again, from the first on. After WISP_LOAD_DONE the call is allowed, and brings back the weights that a
 * lost device has taken with it. */
WISP_API wisp_status wisp_engine_load(wisp_engine* engine, wisp_load_state* state, wisp_error* error);
/* The parts of the file that loading has still to read, in the order in which it will: pairs of uint64_t, an offset and
 * a count of bytes, as wisp_source_feed() takes them. Nothing else of the file is read, so a host need not fetch it;
 * who feeds in this order needs no memory for what lies ahead. Empty when all weights are there. */
WISP_API wisp_status wisp_engine_wanted(wisp_engine* engine, wisp_buffer* out, wisp_error* error);
/* Bytes of weights so far and in all, as the load function is told. */
WISP_API wisp_status wisp_engine_load_progress(wisp_engine* engine, uint64_t* done, uint64_t* total, wisp_error* error);
/* Requests that are not finished are dropped without an event. */
WISP_API void wisp_engine_destroy(wisp_engine* engine);
WISP_API uint32_t wisp_engine_vocabulary(const wisp_engine* engine);      /* logits of a position */
WISP_API uint32_t wisp_engine_max_positions(const wisp_engine* engine);   /* tokens of a sequence, prompt included */
WISP_API uint32_t wisp_engine_embedding_width(const wisp_engine* engine); /* floats of a vector; 0: it gives logits */

/* Queues a request, which is copied. Returns its number, counted from 1 for each engine; 0 is an error:
 * WISP_ERROR_LIMIT when the queue is full (try later) or the prompt can never fit, WISP_ERROR_INVALID_ARGUMENT when it
 * makes no sense. Exactly one WISP_EVENT_FINISH will tell its end. */
WISP_API uint64_t wisp_engine_submit(wisp_engine* engine, const wisp_request* request, wisp_error* error);
/* A new request that goes on from all tokens that a live one has by now, sharing their memory; the new one's prompt,
 * which may be empty, comes behind them. Its salt is the parent's, and so, where it brings none, are its state and what
 * its text has to obey. */
WISP_API uint64_t wisp_engine_fork(wisp_engine* engine, uint64_t parent, const wisp_request* request,
                                   wisp_error* error);
/* Ends a request at once; its last event has the reason WISP_FINISH_CANCELLED. WISP_ERROR_NOT_FOUND for a number that
 * is unknown or finished. */
WISP_API wisp_status wisp_engine_cancel(wisp_engine* engine, uint64_t request, wisp_error* error);

/* A live request as bytes: its tokens, and keys and values of what is computed, where the device gives them; else those
 * of its own state, where it has one. A request with this state (wisp_request_set_state()) goes on from there, in this
 * process or another. */
WISP_API wisp_status wisp_engine_save(wisp_engine* engine, uint64_t request, wisp_buffer* out, wisp_error* error);
/* Requests may ask `draft`, an engine of a smaller model over the same vocabulary, to guess tokens ahead ("speculate"
 * is "model"). It is taken, also by a failure: do not use or destroy it any more. */
WISP_API wisp_status wisp_engine_set_draft(wisp_engine* engine, wisp_engine* draft, wisp_error* error);

typedef enum wisp_step_state {
  WISP_STEP_FINISHED = 0, /* nothing is left to compute */
  WISP_STEP_MORE = 1,     /* there is more to do at once */
  WISP_STEP_WAITS = 2, /* for a device: nothing happens before it has moved on. In a page: return to the event loop */
  WISP_STEP_FULL = 3,  /* nothing was done: too many events wait to be pulled */
  /* The device was lost, and a source that is fed lacks the weights that the next one needs: feed what
   * wisp_engine_wanted() says, in that order, and go on. */
  WISP_STEP_WANTS_DATA = 4
} wisp_step_state;
/* One step of all requests that fit: a token of each, or a piece of a prompt. On a CPU it takes the time that it
 * computes; it never waits for a device. Pull events after it. */
WISP_API wisp_status wisp_engine_step(wisp_engine* engine, wisp_step_state* state, wisp_error* error);
/* Takes the oldest event; WISP_EVENT_NONE where there is none. Computes nothing. */
WISP_API wisp_status wisp_engine_next_event(wisp_engine* engine, wisp_event* event, wisp_error* error);
/* Steps, and waits for the device, until there is an event, and takes it; WISP_EVENT_NONE once all is finished. Other
 * threads get their turn between steps. In a page, whose device cannot be waited for: WISP_ERROR_UNSUPPORTED. In place
 * of WISP_STEP_WANTS_DATA: WISP_ERROR_NEED_MORE_DATA; feed and call again. */
WISP_API wisp_status wisp_engine_wait_event(wisp_engine* engine, wisp_event* event, wisp_error* error);
/* Whether steps can be computed, without a request: 0 while a device compiles and tunes, and while the next one after a
 * loss loads. Asking lets it move on. */
WISP_API wisp_status wisp_engine_ready(wisp_engine* engine, int* ready, wisp_error* error);

/* What it did: a JSON object of totals (steps, rows, prompt_tokens, cached_tokens, generated_tokens, preemptions,
 * requests_submitted, ..., execute_ns, step_ns; running and waiting now). */
WISP_API wisp_status wisp_engine_counters(wisp_engine* engine, wisp_buffer* out, wisp_error* error);
/* What it holds: a JSON object of bytes by owner ("weights", "kv", "activations", ...), and "kv_blocks", a list with
 * "total", "used" and "cached" of each group of layers. */
WISP_API wisp_status wisp_engine_memory(wisp_engine* engine, wisp_buffer* out, wisp_error* error);
/* What it runs on: a JSON object with "executor" (a line of text), "kv" (the type it got), "kernels" and
 * "known_kernels" (compiled on a device, and how many of them were known from an earlier run), "compile_ns",
 * "tuning_ns". */
WISP_API wisp_status wisp_engine_describe(wisp_engine* engine, wisp_buffer* out, wisp_error* error);
/* Where the time goes: measures each op from now on (1) or no more (0), and a JSON array of "name", "layer" (-1:
 * outside), "calls", "rows", "nanoseconds". */
WISP_API wisp_status wisp_engine_set_profiling(wisp_engine* engine, int on, wisp_error* error);
WISP_API wisp_status wisp_engine_profile(wisp_engine* engine, wisp_buffer* out, wisp_error* error);
/* The same as it happens: the next bytes of a file in Chrome's trace format, which https://ui.perfetto.dev opens.
 * Function and context have to live until wisp_engine_stop_trace(), which writes the end, or the engine's own. */
typedef void (*wisp_trace_function)(void* context, const char* bytes, size_t count);
WISP_API wisp_status wisp_engine_start_trace(wisp_engine* engine, wisp_trace_function trace, void* context,
                                             wisp_error* error);
WISP_API wisp_status wisp_engine_stop_trace(wisp_engine* engine, wisp_error* error);
/* A text about the device that is worth keeping for the next run: its name and itself. An empty name: there is no more.
 * Names are letters, digits, '-' and '.'. */
WISP_API wisp_status wisp_engine_take_text(wisp_engine* engine, wisp_buffer* name, wisp_buffer* text,
                                           wisp_error* error);

/* ---- requests ---- */

/* An empty prompt and all defaults. NULL when there is no memory. Can be changed and submitted again and again. */
WISP_API wisp_request* wisp_request_create(void);
WISP_API void wisp_request_destroy(wisp_request* request);
/* Token ids as the prompt, in place of any prompt before. */
WISP_API wisp_status wisp_request_set_prompt(wisp_request* request, const int32_t* ids, size_t count,
                                             wisp_error* error);
/* Where the prompt begins with the tokens of a saved sequence (wisp_engine_save(), wisp_event_state()), these are not
 * computed again. The prompt still has to hold them; wisp_state_tokens() gives them. 0 bytes: none. Nothing in a state
 * is believed: WISP_ERROR_INVALID_FILE for bytes that are none or contradict each other, here, and for those that
 * contradict the model, by submit; which refuses another model's, and a prompt that begins otherwise, with
 * WISP_ERROR_INVALID_ARGUMENT. */
WISP_API wisp_status wisp_request_set_state(wisp_request* request, const void* state, size_t size, wisp_error* error);
/* The tokens of a saved sequence, as ids; any text goes on behind them. */
WISP_API wisp_status wisp_state_tokens(const void* state, size_t size, wisp_buffer* out, wisp_error* error);
/* By name, with [default]. Flags are 0 or 1. WISP_ERROR_NOT_FOUND lists the names that there are.
 *
 *   max_tokens           that are made at most; 0: compute the prompt only [until the context is full]
 *   seed                 all 64 bits; with the position it decides each draw, so the same seed gives the same text [0]
 *   top_k                only the k most likely tokens; 0: all [40]
 *   penalty_last_n       how many last tokens penalties look at; -1: all [64]
 *   dry_allowed_length   of DRY: repetitions shorter than this are free [2]
 *   dry_penalty_last_n   of DRY: how far back it looks; -1: all [-1]
 *   mirostat             Mirostat 2 in place of the samplers that drop tokens [0]
 *   logprobs             each token's probability, and those of so many of the most likely, for wisp_event_logprobs();
 *                        -1: none [-1]
 *   logprobs_after       those of the distribution that the token was drawn from, in place of the model's own [0]
 *   priority             higher is served first [0]
 *   salt                 only requests of equal salt share what equal starts of prompts have computed [0]
 *   ignore_end           end tokens are tokens like any other [0]
 *   show_special         control tokens appear in the text; 2: those alone that mark reasoning and calls, for a
 *                        wisp_answer [0]
 *   token_logits         WISP_EVENT_TOKEN has the logits that the token was chosen from [0]
 *   keep_state           the last event has the whole sequence, for wisp_event_state() [0]
 *   most_drafts          tokens that are guessed at once, where "speculate" asks for it [8]
 *   logits_from          WISP_EVENT_LOGITS for each position of the prompt from this one on; -1: none [-1]
 *   triggers_in_grammar  the grammar describes the text of "triggers" too; 0: only what comes behind [1]
 *   normalize            scale vectors of an embedding to a length of 1 [1; with "pooling" none: 0]
 */
WISP_API wisp_status wisp_request_set_integer(wisp_request* request, const char* name, int64_t value,
                                              wisp_error* error);
/*   temperature          0: always the most likely token; more is wilder [0.8]
 *   top_p                only the most likely tokens that hold this share of probability [0.95]
 *   min_p                only tokens at least this likely against the most likely one [0.05]
 *   repeat_penalty       divides the logits of tokens that are there already; 1: off [1]
 *   frequency_penalty    subtracted for each time that a token is there already [0]
 *   presence_penalty     subtracted once from tokens that are there already [0]
 *   typical_p            only tokens of the most typical surprise that hold this share of probability [1]
 *   top_n_sigma          only logits within so many standard deviations of the highest; 0: all [0]
 *   xtc_probability      how often all top choices but the least likely are left out [0]
 *   xtc_threshold        from which probability on a token is a top choice [0.1]
 *   dynatemp_range       temperature moves so far either way with the entropy [0]
 *   dynatemp_exponent    how it follows that [1]
 *   dry_multiplier       DRY's penalty for going on with a repetition; 0: off [0]
 *   dry_base             grows by this factor with each token that was repeated [1.75]
 *   mirostat_tau         bits of surprise that Mirostat aims at [5]
 *   mirostat_eta         how fast it learns [0.1]
 *   logprobs_mass        no more of the most likely tokens than hold this share of probability [1]
 */
WISP_API wisp_status wisp_request_set_number(wisp_request* request, const char* name, double value, wisp_error* error);
/*   prompt               text, tokenized with the vocabulary's own special tokens, in place of any prompt before
 *   messages             a conversation as of wisp_model_chat_prompt(), with tools or without, in place of any
 *                        prompt before
 *   answer               a JSON list of token ids that the answer begins with already, as an engine that is lost told
 *                        them: they are computed with the prompt, grammars and stop texts go on from them, and their
 *                        text is not told again; max_tokens counts new ones only, figures count these as prompt, and
 *                        Mirostat begins anew []
 *   stop                 ends before this text; may be set repeatedly []
 *   samplers             which samplers run, in this order
 *                        ["penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"]
 *   dry_breakers         a JSON list of the texts that DRY sees no repetition across ["\n", ":", "\"", "*"]
 *   grammar, json_schema, regex  what the new text has to obey (docs/constraints.md), the last of them that was set.
 *                        Compiled by submit, which keeps the latest; tokens without a choice have no logits [none]
 *                        Beside "messages" a schema and a regex are for what is said: thoughts may come before, in the
 *                        model's marks, and calls of "tools" in its place (take the text apart by a wisp_answer). A
 *                        call that has to come is refused beside them. With "triggers" they are the whole text
 *   triggers             a JSON list of texts and token ids: the grammar holds from the first of them on; without any
 *                        from the start []
 *   speculate            who guesses tokens ahead, to be checked in one step: "off", "ngram" (the text itself), "model"
 *                        (the one of wisp_engine_set_draft()). Changes when tokens come, never which ["off"]
 *   pooling              asks for an embedding of the prompt in place of new text, wisp_event_embedding(): the state of
 *                        its "last" token, their "mean", that of the first ("cls"), of each ("none"), or what the
 *                        "model"'s file says, else last [no embedding]
 */
WISP_API wisp_status wisp_request_set_text(wisp_request* request, const char* name, const char* value, size_t length,
                                           wisp_error* error);
/* Added to the logit of a token; -INFINITY bans it. */
WISP_API wisp_status wisp_request_add_logit_bias(wisp_request* request, int32_t token, float bias, wisp_error* error);
/* All of the above at once, as a JSON object: {"prompt": [1, 15], "temperature": 0, "stop": ["\n"], "logit_bias":
 * {"13": -100}}. "prompt" is a text or a list of ids, "stop" and "samplers" a text or a list, "answer",
 * "dry_breakers" and "triggers" lists; "json_schema" may be the schema itself; "messages", "tools" and what else a
 * conversation has stand beside the rest. After a failure nothing has changed. */
WISP_API wisp_status wisp_request_set_json(wisp_request* request, const char* json, size_t length, wisp_error* error);

/* ---- events ---- */

typedef enum wisp_kind {
  WISP_EVENT_NONE = 0,
  WISP_EVENT_TOKEN = 1,  /* a token was chosen: token, position, text, logits where they were asked for */
  WISP_EVENT_LOGITS = 2, /* of a position of the prompt: position, logits */
  WISP_EVENT_FINISH = 3  /* the end of a request: reason, last text, embedding, status and message, figures */
} wisp_kind;

typedef enum wisp_finish_reason {
  WISP_FINISH_LENGTH = 0,      /* max_tokens were made, or the embedding */
  WISP_FINISH_END_TOKEN = 1,   /* the model chose an end token, which has no event of its own */
  WISP_FINISH_STOP_STRING = 2, /* a stop text appeared */
  WISP_FINISH_CONTEXT = 3,     /* the next position would pass the context */
  WISP_FINISH_CANCELLED = 4,
  WISP_FINISH_ERROR = 5 /* wisp_event_status() and wisp_event_message() say which */
} wisp_finish_reason;

typedef enum wisp_figure {
  WISP_FIGURE_PROMPT_TOKENS = 0,
  WISP_FIGURE_CACHED_TOKENS = 1, /* of the prompt, that another request had computed */
  WISP_FIGURE_GENERATED_TOKENS = 2,
  WISP_FIGURE_PREEMPTIONS = 3,
  /* Moments in nanoseconds on a clock that only rises; 0 where the moment never came. */
  WISP_FIGURE_SUBMITTED_NS = 4,
  WISP_FIGURE_ADMITTED_NS = 5,
  WISP_FIGURE_FIRST_TOKEN_NS = 6,
  WISP_FIGURE_FINISHED_NS = 7,
  WISP_FIGURE_DRAFTED_TOKENS = 8,  /* guessed ahead ... */
  WISP_FIGURE_ACCEPTED_TOKENS = 9, /* ... and right */
  WISP_FIGURE_FORCED_TOKENS = 10   /* of the generated ones, those that a grammar left no choice about */
} wisp_figure;

/* Of kind WISP_EVENT_NONE. NULL when there is no memory. */
WISP_API wisp_event* wisp_event_create(void);
WISP_API void wisp_event_destroy(wisp_event* event);
WISP_API wisp_kind wisp_event_kind(const wisp_event* event);
WISP_API uint64_t wisp_event_request(const wisp_event* event); /* the number that submit or fork gave */
WISP_API int32_t wisp_event_token(const wisp_event* event);    /* -1 where the event has none */
WISP_API uint32_t wisp_event_position(const wisp_event* event);
/* What became certain with the token: whole characters, nothing of a stop text, often empty. All texts of a request,
 * one after the other, are its answer. */
WISP_API const char* wisp_event_text(const wisp_event* event);
WISP_API size_t wisp_event_text_size(const wisp_event* event);
/* wisp_event_logit_count() floats, wisp_engine_vocabulary() or none; NULL where the event has none. */
WISP_API const float* wisp_event_logits(const wisp_event* event);
WISP_API size_t wisp_event_logit_count(const wisp_event* event);
/* Of a WISP_EVENT_FINISH whose request had "pooling" and whose reason is WISP_FINISH_LENGTH:
 * wisp_event_embedding_count() floats, wisp_engine_embedding_width() or, with the pooling "none", so many for each
 * token of the prompt, in order. NULL where the event has none. */
WISP_API const float* wisp_event_embedding(const wisp_event* event);
WISP_API size_t wisp_event_embedding_count(const wisp_event* event);
WISP_API wisp_finish_reason wisp_event_finish_reason(const wisp_event* event);
/* WISP_OK and "" unless the reason is WISP_FINISH_ERROR. */
WISP_API wisp_status wisp_event_status(const wisp_event* event);
WISP_API const char* wisp_event_message(const wisp_event* event);
/* Of a WISP_EVENT_TOKEN whose request had "logprobs": a JSON object with "logprob" of the token and "top", a list of
 * "token" and "logprob", most likely first; natural logarithms, null for what cannot come. WISP_ERROR_NOT_FOUND where
 * there is none. */
WISP_API wisp_status wisp_event_logprobs(const wisp_event* event, wisp_buffer* out, wisp_error* error);
/* Of a WISP_EVENT_FINISH whose request had "keep_state"; WISP_ERROR_NOT_FOUND where there is none. */
WISP_API wisp_status wisp_event_state(const wisp_event* event, wisp_buffer* out, wisp_error* error);
WISP_API uint64_t wisp_event_figure(const wisp_event* event, wisp_figure figure); /* of a WISP_EVENT_FINISH */

#ifdef __cplusplus
}
#endif

#endif /* WISP_H */
