/* Goes on with a text: generate MODEL.gguf PROMPT [TOKENS]. Prints what the model makes of it, always the most likely
 * token, as `wisp run MODEL --prompt PROMPT -n TOKENS --greedy` does. */
#include <stdio.h>
#include <stdlib.h>
#include <wisp.h>

static int fail(const char *what, const wisp_error *error) {
  fprintf(stderr, "%s: %s (%s)\n", what, wisp_error_message(error), wisp_status_name(wisp_error_status(error)));
  return EXIT_FAILURE;
}

static int generate(wisp_engine *engine, const wisp_request *request, wisp_error *error) {
  wisp_event *event = wisp_event_create();
  int result = EXIT_SUCCESS;
  if (wisp_engine_submit(engine, request, error) == 0) {
    result = fail("the request", error);
  }
  while (result == EXIT_SUCCESS && wisp_engine_wait_event(engine, event, error) == WISP_OK &&
         wisp_event_kind(event) != WISP_EVENT_NONE) {
    fwrite(wisp_event_text(event), 1, wisp_event_text_size(event), stdout);
    if (wisp_event_kind(event) == WISP_EVENT_FINISH && wisp_event_status(event) != WISP_OK) {
      fprintf(stderr, "the answer: %s\n", wisp_event_message(event));
      result = EXIT_FAILURE;
    }
  }
  if (result == EXIT_SUCCESS && wisp_error_status(error) != WISP_OK) {
    result = fail("the engine", error);
  }
  putchar('\n');
  wisp_event_destroy(event);
  return result;
}

int main(int argc, char **argv) {
  if (argc < 3 || argc > 4) {
    fprintf(stderr, "usage: generate MODEL.gguf PROMPT [TOKENS]\n");
    return 2;
  }
  int result = EXIT_FAILURE;
  wisp_error *error = wisp_error_create();
  wisp_model *model = wisp_model_open_file(argv[1], error);
  wisp_engine *engine = NULL;
  wisp_request *request = wisp_request_create();
  if (model == NULL) {
    fail(argv[1], error);
  } else if ((engine = wisp_engine_create(model, NULL, error)) == NULL) {
    fail("the engine", error);
  } else if (wisp_request_set_text(request, "prompt", argv[2], WISP_TO_NUL, error) != WISP_OK ||
             wisp_request_set_number(request, "temperature", 0, error) != WISP_OK ||
             wisp_request_set_integer(request, "max_tokens", argc > 3 ? atoi(argv[3]) : 100, error) != WISP_OK) {
    fail("the request", error);
  } else {
    result = generate(engine, request, error);
  }
  wisp_request_destroy(request);
  wisp_engine_destroy(engine);
  wisp_model_destroy(model);
  wisp_error_destroy(error);
  return result;
}
