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

/* Between two of them is what the compiler cannot join them over. */
#define RARE_PLACE(letter, place)                               \
    if (here == (letter))                                       \
        sum += go_on_rarely(plan + 1, at_end, place) + (place); \
    sum += here > 'z';

__attribute__((noinline)) OPTIMIZED int _PyEval_EvalFrameDefault(const char *plan, int (*at_end)(void))
{
    volatile int here = plan[0], sum = 0;
    if (here == 'h')
        sum += _PyEval_EvalFrameDefault(plan + 1, at_end) + 1;
    RARE_PLACE('a', 1)
    RARE_PLACE('b', 2)
    RARE_PLACE('c', 3)
    RARE_PLACE('d', 4)
    RARE_PLACE('e', 5)
    RARE_PLACE('f', 6)
    if (here < 'a')
        sum += at_end();
    return sum;
}

#endif
