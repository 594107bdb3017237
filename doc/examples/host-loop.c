/*
 * A program with a loop of its own, as a notebook has: it runs cells one after the other while its clock goes on. Tasks
 * join that loop, and leave it as it was.
 */
#include <parexec.h>
#include <stdio.h>
#include <uv.h>

struct notebook {
    uv_loop_t *uv;
    uv_timer_t clock;    /* the host's own */
    int ticks;
    uv_prepare_t prompt; /* runs the next cell as soon as the last one has ended */
    pe_loop *loop;
    int at;              /* the cell that runs, or the next one */
    pe_task *cell;
};

/* ---- cells ---- */

static int hello(pe_task *t, void *frame)
{
    (void)frame;
    PE_BEGIN(t);
    puts("Hello ...");
    PE_TRY(t, pe_sleep(t, PE_MS(100)));
    puts("... World!");
    PE_RETURN(t, 42);
    PE_END(t);
}

struct hurry {
    pe_limit limit;
};

static int hurry(pe_task *t, void *frame)
{
    struct hurry *f = frame;

    PE_BEGIN(t);
    PE_AWAIT_UNTIL(t, &f->limit, pe_after(PE_MS(50)), pe_sleep(t, PE_SECONDS(1000)));
    puts("that took too long");
    PE_RETURN(t, t->result);
    PE_END(t);
}

static pe_task_fn *const cells[] = { hello, hurry };
enum { CELLS = 2 };

/* ---- the host ---- */

static void on_tick(uv_timer_t *clock)
{
    struct notebook *notebook = clock->data;
    notebook->ticks++;
}

static void begin_cell(struct notebook *notebook)
{
    printf("In [%d]:\n", notebook->at + 1);
    int error = pe_spawn(notebook->loop, cells[notebook->at], NULL, sizeof(struct hurry), &notebook->cell);
    if (error < 0) {
        fprintf(stderr, "no task: %s\n", pe_strerror(error));
        notebook->at = CELLS;
    }
}

static void end_cell(struct notebook *notebook)
{
    int value = pe_task_result(notebook->cell);

    notebook->at++;
    if (value < 0)
        printf("Out [%d]: %s\n", notebook->at, pe_strerror(value));
    else
        printf("Out [%d]: %d\n", notebook->at, value);
    pe_task_free(notebook->cell);
    notebook->cell = NULL;
}

static void on_prompt(uv_prepare_t *prompt)
{
    struct notebook *notebook = prompt->data;

    if (notebook->cell != NULL && !pe_task_has_ended(notebook->cell))
        return;
    if (notebook->cell != NULL)
        end_cell(notebook);
    if (notebook->at < CELLS)
        begin_cell(notebook);
    if (notebook->at < CELLS)
        return;
    uv_close((uv_handle_t *)&notebook->clock, NULL);
    uv_close((uv_handle_t *)&notebook->prompt, NULL);
}

int main(void)
{
    struct notebook notebook = { .uv = uv_default_loop() };

    uv_timer_init(notebook.uv, &notebook.clock);
    uv_prepare_init(notebook.uv, &notebook.prompt);
    notebook.clock.data = notebook.prompt.data = &notebook;
    if (pe_loop_new(notebook.uv, &notebook.loop) < 0)
        return 1;
    uv_timer_start(&notebook.clock, on_tick, 5, 5);
    uv_prepare_start(&notebook.prompt, on_prompt);
    uv_run(notebook.uv, UV_RUN_DEFAULT);

    pe_loop_free(notebook.loop);
    uv_run(notebook.uv, UV_RUN_DEFAULT); /* what was ours on it is closed */
    printf("the clock %s\n", notebook.ticks >= 3 ? "went on meanwhile" : "stood still");
    printf("left on the loop: %s\n", uv_loop_close(notebook.uv) == 0 ? "nothing" : "something");
    return 0;
}
