/* A function that compilers split where they split at all: beside its usual way many that they take for rare. It has the name
 * of the interpreter's main function, for that is the one that is looked for. */
#ifndef TSCAP_TESTS_SPLIT_H
#define TSCAP_TESTS_SPLIT_H

/* Each letter of the plan is one call of the function: 'h' calls the next from where it usually is, 'a' to 'f' from one of the
 * rare places, all others end it. What the last one returns is what `at_end` returns. */
int _PyEval_EvalFrameDefault(const char *plan, int (*at_end)(void));

__attribute__((noinline, cold)) static int go_on_rarely(const char *plan, int (*at_end)(void), int place)
{
    return _PyEval_EvalFrameDefault(plan, at_end) + place - place % 100;
}

#if defined __clang__
#define OPTIMIZED
#else
#define OPTIMIZED __attribute__((optimize("O2"))) /* also where all else is not */
#endif

__attribute__((noinline)) OPTIMIZED int _PyEval_EvalFrameDefault(const char *plan, int (*at_end)(void))
{
    volatile int here = plan[0], sum = 0;
    if (here == 'h')
        sum += _PyEval_EvalFrameDefault(plan + 1, at_end) + 1;
    if (here == 'a')
        sum += go_on_rarely(plan + 1, at_end, 1) + 1;
    sum += here > 'z';
    if (here == 'b')
        sum += go_on_rarely(plan + 1, at_end, 2) + 2;
    sum += here > 'z';
    if (here == 'c')
        sum += go_on_rarely(plan + 1, at_end, 3) + 3;
    sum += here > 'z';
    if (here == 'd')
        sum += go_on_rarely(plan + 1, at_end, 4) + 4;
    sum += here > 'z';
    if (here == 'e')
        sum += go_on_rarely(plan + 1, at_end, 5) + 5;
    sum += here > 'z';
    if (here == 'f')
        sum += go_on_rarely(plan + 1, at_end, 6) + 6;
    sum += here > 'z';
    if (here < 'a')
        sum += at_end();
    return sum;
}

#endif
