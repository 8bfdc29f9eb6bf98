#include "python_functions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "python_objects.h"
#include "python_process.h"

#define INTERPRETERS_MAX 256
#define VISITS_MAX (1u << 21)
#define FUNCTIONS_MAX (1u << 17)
#define SCOPES_MAX (1u << 16)
#define NAME_MAX_BYTES 4096 /* of one that is put together */
#define HEAD 16             /* of an object: what it holds comes next */
#define CODE_OF_A_FUNCTION 3 /* CO_OPTIMIZED | CO_NEWLOCALS; that of a class body has neither */
#define NO_SCOPE SIZE_MAX

/* To be looked at: an object, or code of a scope, whose name is known if it does not say it itself. */
struct visit {
    uint64_t address;
    size_t scope; /* NO_SCOPE: an object */
    char *name;
};

struct visits {
    struct visit *visit;
    size_t count, room;
};

struct walk {
    struct python_objects *objects;
    struct python_functions *found;
    struct visits next, late;
    uint64_t *seen; /* addresses, hashed; half of it stays empty */
    size_t seen_count, seen_room;
    size_t scope_room, function_room;
    size_t *scope; /* by address: index + 1 */
    int error;
};

/* ---- what was seen ---- */

static size_t slot_of(const uint64_t *seen, size_t room, uint64_t address)
{
    size_t k = (size_t)(address * 0x9e3779b97f4a7c15u >> 20) & (room - 1);
    while (seen[k] && seen[k] != address)
        k = (k + 1) & (room - 1);
    return k;
}

static bool grow(struct walk *w)
{
    size_t room = w->seen_room ? 2 * w->seen_room : 4096;
    uint64_t *more = calloc(room, sizeof *more);
    for (size_t i = 0; more && i < w->seen_room; i++)
        if (w->seen[i])
            more[slot_of(more, room, w->seen[i])] = w->seen[i];
    if (!more) {
        w->error = -ENOMEM;
        return false;
    }
    free(w->seen);
    w->seen = more;
    w->seen_room = room;
    return true;
}

/* False also when there is no more room for any. */
static bool is_new(struct walk *w, uint64_t address)
{
    if (!address || (2 * w->seen_count >= w->seen_room && !grow(w)))
        return false;
    size_t k = slot_of(w->seen, w->seen_room, address);
    if (w->seen[k])
        return false;
    if (w->seen_count == VISITS_MAX) {
        w->objects->cut = true;
        return false;
    }
    w->seen[k] = address;
    w->seen_count++;
    return true;
}

static void add_visit(struct walk *w, struct visits *to, uint64_t address, size_t scope, char *name)
{
    if (to->count == (name ? VISITS_MAX / 16 : VISITS_MAX)) { /* names take room, too */
        w->objects->cut = true;
        free(name);
        return;
    }
    struct visit *more = array_room(to->visit, to->count, &to->room, sizeof *more);
    if (!more) {
        free(name);
        w->error = -ENOMEM;
        return;
    }
    to->visit = more;
    to->visit[to->count++] = (struct visit){address, scope, name};
}

static void look_at(struct walk *w, uint64_t object) { add_visit(w, &w->next, object, NO_SCOPE, NULL); }

static void look_at_field(struct walk *w, uint64_t object, uint64_t offset)
{
    uint64_t held;
    if (python_objects_word(w->objects, object + offset, &held) && held)
        look_at(w, held);
}

static void look_at_values(struct walk *w, uint64_t dict)
{
    struct python_entries e;
    int r = python_objects_dict(w->objects, dict, &e);
    for (size_t i = 0; i < e.count; i++)
        if (e.entry[i].value)
            look_at(w, e.entry[i].value);
    free(e.entry);
    w->error = w->error ? w->error : r;
}

/* ---- scopes ---- */

static char *text_named(struct walk *w, const struct python_entries *e, const char *name)
{
    uint64_t value = python_objects_named(w->objects, e, name);
    char *text = value ? python_objects_text(w->objects, value) : strdup("");
    w->error = text ? w->error : -ENOMEM;
    return text;
}

static void add_scope(struct walk *w, uint64_t globals)
{
    struct python_functions *f = w->found;
    struct python_entries e;
    struct python_scope *more = array_room(f->scope, f->scopes, &w->scope_room, sizeof *more);
    int r = more ? python_objects_dict(w->objects, globals, &e) : -ENOMEM;
    w->error = w->error ? w->error : r;
    if (!more)
        return;
    f->scope = more;
    f->scope[f->scopes++] = (struct python_scope){globals, text_named(w, &e, "__name__"), text_named(w, &e, "__file__")};
    free(e.entry);
}

static size_t scope_of(struct walk *w, uint64_t globals)
{
    struct python_functions *f = w->found;
    size_t k = (size_t)(globals * 0x9e3779b97f4a7c15u >> 20) & (2 * SCOPES_MAX - 1);
    while (w->scope[k] && f->scope[w->scope[k] - 1].address != globals)
        k = (k + 1) & (2 * SCOPES_MAX - 1);
    if (w->scope[k])
        return w->scope[k] - 1;
    if (f->scopes == SCOPES_MAX) {
        w->objects->cut = true;
        return NO_SCOPE;
    }
    add_scope(w, globals);
    w->scope[k] = w->error ? 0 : f->scopes;
    return w->error ? NO_SCOPE : f->scopes - 1;
}

/* ---- functions ---- */

static char *read_text(struct walk *w, uint64_t object, enum object_field field)
{
    uint64_t text = 0;
    python_objects_field(w->objects, object, field, &text);
    char *read = python_objects_text(w->objects, text);
    w->error = read ? w->error : -ENOMEM;
    return read;
}

static bool ends_with_name(const char *qualname, const char *name)
{
    size_t length = strlen(qualname), its = strlen(name);
    return length >= its && strcmp(qualname + length - its, name) == 0 && (length == its || qualname[length - its - 1] == '.');
}

/* Code says its name itself since 3.11. Before, it is its function's, unless that was given another one (functools.wraps): what made that
 * function may come by yet, and knows better; else it has but a short one. */
static void look_at_code_of(struct walk *w, uint64_t function, uint64_t code, size_t scope)
{
    if (w->objects->minor >= 11) {
        add_visit(w, &w->next, code, scope, NULL);
        return;
    }
    char *name = read_text(w, code, OBJECT_CODE_NAME), *whole = read_text(w, function, OBJECT_FUNCTION_QUALNAME);
    bool own = name && whole && ends_with_name(whole, name);
    free(own ? name : whole);
    add_visit(w, own ? &w->next : &w->late, code, scope, own ? whole : name);
}

static void look_at_cells(struct walk *w, uint64_t closure)
{
    struct python_entries e;
    int r = closure ? python_objects_tuple(w->objects, closure, &e) : 0;
    for (size_t i = 0; closure && i < e.count; i++)
        if (python_objects_type(w->objects, e.entry[i].value).kind == OBJECT_IS_CELL)
            look_at_field(w, e.entry[i].value, w->objects->at[OBJECT_CELL_OBJECT]);
    if (closure)
        free(e.entry);
    w->error = w->error ? w->error : r;
}

/* What functools.wraps(), or a cache, has put something around. */
static void look_at_wrapped(struct walk *w, uint64_t object, uint64_t offset)
{
    uint64_t dict;
    struct python_entries e;
    if (!offset || !python_objects_word(w->objects, object + offset, &dict) || !dict)
        return;
    int r = python_objects_dict(w->objects, dict, &e);
    uint64_t wrapped = python_objects_named(w->objects, &e, "__wrapped__");
    if (wrapped)
        look_at(w, wrapped);
    free(e.entry);
    w->error = w->error ? w->error : r;
}

static void visit_function(struct walk *w, uint64_t function)
{
    uint64_t code, globals, closure;
    struct python_objects *o = w->objects;
    if (!python_objects_field(o, function, OBJECT_FUNCTION_CODE, &code) || !python_objects_field(o, function, OBJECT_FUNCTION_GLOBALS, &globals) ||
        !python_objects_field(o, function, OBJECT_FUNCTION_CLOSURE, &closure) || python_objects_type(o, code).kind != OBJECT_IS_CODE)
        return;
    size_t scope = scope_of(w, globals);
    if (scope != NO_SCOPE)
        look_at_code_of(w, function, code, scope);
    look_at_cells(w, closure);
}

static void visit_object(struct walk *w, uint64_t object)
{
    const struct known_type type = python_objects_type(w->objects, object);
    uint64_t dict;
    if (type.kind == OBJECT_IS_FUNCTION)
        visit_function(w, object);
    else if (type.kind == OBJECT_IS_HOLDER)
        look_at_field(w, object, HEAD);
    else if (type.kind == OBJECT_IS_CLASS && python_objects_field(w->objects, object, OBJECT_TYPE_DICT, &dict) && dict)
        look_at_values(w, dict);
    for (uint64_t i = 0; type.kind == OBJECT_IS_PROPERTY && i < 3; i++)
        look_at_field(w, object, HEAD + i * sizeof(uint64_t));
    if (type.kind == OBJECT_IS_FUNCTION || type.kind == OBJECT_IS_OTHER)
        look_at_wrapped(w, object, type.dict);
}

/* ---- code ---- */

static bool add_function(struct walk *w, const struct visit *v, char *name)
{
    struct python_functions *f = w->found;
    int32_t line = 0;
    if (f->count == FUNCTIONS_MAX) {
        w->objects->cut = true;
        return false;
    }
    struct python_function *more = array_room(f->function, f->count, &w->function_room, sizeof *more);
    if (!more) {
        w->error = -ENOMEM;
        return false;
    }
    f->function = more;
    python_objects_int(w->objects, v->address, OBJECT_CODE_LINE, &line);
    f->function[f->count++] = (struct python_function){v->scope, name, read_text(w, v->address, OBJECT_CODE_FILE), line};
    return true;
}

/* What is made within it; `name`: of it. */
static void look_at_made(struct walk *w, const struct visit *v, const char *name, bool function)
{
    uint64_t constants;
    struct python_entries e;
    if (!python_objects_field(w->objects, v->address, OBJECT_CODE_CONSTANTS, &constants))
        return;
    int r = python_objects_tuple(w->objects, constants, &e);
    for (size_t i = 0; i < e.count; i++) {
        char whole[NAME_MAX_BYTES], *its = NULL;
        if (python_objects_type(w->objects, e.entry[i].value).kind != OBJECT_IS_CODE)
            continue;
        if (w->objects->minor < 11) {
            char *last = read_text(w, e.entry[i].value, OBJECT_CODE_NAME);
            snprintf(whole, sizeof whole, "%s%s.%s", name, function ? ".<locals>" : "", last ? last : "");
            free(last);
            its = strdup(whole);
        }
        add_visit(w, &w->next, e.entry[i].value, v->scope, its);
    }
    free(e.entry);
    w->error = w->error ? w->error : r;
}

static void visit_code(struct walk *w, const struct visit *v)
{
    int32_t flags = 0;
    char *name = v->name ? strdup(v->name) : read_text(w, v->address, OBJECT_CODE_QUALNAME);
    if (!name || !python_objects_int(w->objects, v->address, OBJECT_CODE_FLAGS, &flags)) {
        w->error = name ? w->error : -ENOMEM;
        free(name);
        return;
    }
    bool function = (flags & CODE_OF_A_FUNCTION) == CODE_OF_A_FUNCTION;
    look_at_made(w, v, name, function);
    if (!function || !add_function(w, v, name))
        free(name);
}

/* ---- the walk ---- */

static bool take_visit(struct walk *w, struct visit *v)
{
    struct visits *from = w->next.count ? &w->next : &w->late;
    if (!from->count || w->error)
        return false;
    *v = from->visit[--from->count];
    return true;
}

static void go(struct walk *w)
{
    struct visit v;
    while (take_visit(w, &v)) {
        if (!is_new(w, v.scope == NO_SCOPE ? v.address : v.address | 1)) /* code that was met as a value is looked at once more */
            ;
        else if (v.scope == NO_SCOPE)
            visit_object(w, v.address);
        else
            visit_code(w, &v);
        free(v.name);
    }
}

static void visits_free(struct visits *v)
{
    for (size_t i = 0; i < v->count; i++)
        free(v->visit[i].name);
    free(v->visit);
}

static void look_at_modules(struct walk *w, uint64_t modules)
{
    struct python_entries e;
    int r = python_objects_dict(w->objects, modules, &e);
    w->objects->cut |= r == 0 && e.count == 0;
    for (size_t i = 0; i < e.count; i++) {
        uint64_t module = e.entry[i].value, dict;
        if (module && python_objects_type(w->objects, module).kind == OBJECT_IS_MODULE && python_objects_word(w->objects, module + HEAD, &dict) &&
            is_new(w, module)) {
            if (scope_of(w, dict) == NO_SCOPE && w->error)
                break;
            look_at_values(w, dict);
        }
    }
    free(e.entry);
    w->error = w->error ? w->error : r;
}

static int look_at_interpreters(struct walk *w, uint64_t runtime)
{
    uint64_t interpreter, modules;
    struct python_objects *o = w->objects;
    if (!python_objects_field(o, runtime, OBJECT_RUNTIME_INTERPRETERS, &interpreter) || !interpreter)
        return -EBADMSG; /* not begun yet, or over */
    for (unsigned i = 0; interpreter && i < INTERPRETERS_MAX; i++) {
        if (python_objects_field(o, interpreter, OBJECT_INTERPRETER_MODULES, &modules) && modules)
            look_at_modules(w, modules);
        if (!python_objects_field(o, interpreter, OBJECT_INTERPRETER_NEXT, &interpreter))
            break;
    }
    return 0;
}

int python_functions_read(struct python_functions *f, const struct python_memory *m, uint64_t runtime, uint32_t version)
{
    struct walk w = {.objects = malloc(sizeof *w.objects), .found = f, .scope = calloc(2 * SCOPES_MAX, sizeof *w.scope)};
    *f = (struct python_functions){0};
    int r = w.objects && w.scope ? python_objects_open(w.objects, m, runtime, version) : -ENOMEM;
    if (r == 0)
        r = look_at_interpreters(&w, runtime);
    if (r == 0)
        go(&w);
    r = r == 0 ? w.error : r;
    f->complete = r == 0 && !w.objects->cut;
    visits_free(&w.next);
    visits_free(&w.late);
    free(w.seen);
    free(w.scope);
    free(w.objects);
    if (r < 0)
        python_functions_free(f);
    return r;
}

void python_functions_free(struct python_functions *f)
{
    for (size_t i = 0; i < f->scopes; i++) {
        free(f->scope[i].module);
        free(f->scope[i].file);
    }
    for (size_t i = 0; i < f->count; i++) {
        free(f->function[i].qualname);
        free(f->function[i].file);
    }
    free(f->scope);
    free(f->function);
    *f = (struct python_functions){0};
}

/* ---- where they come from ---- */

const char *python_function_origin(const struct python_functions *f, size_t i)
{
    const char *file = f->function[i].file, *module = f->scope[f->function[i].scope].file;
    bool generated = file[0] == '<' && strncmp(file, "<frozen ", 8) != 0;
    return generated && module[0] ? module : file;
}

char *python_functions_library(const struct python_functions *f)
{
    static const char *const lies_in_it[] = {"os", "codecs"}; /* as ext/selection.c has it */
    for (size_t k = 0; k < sizeof lies_in_it / sizeof *lies_in_it; k++)
        for (size_t i = 0; i < f->scopes; i++) {
            const char *slash = strcmp(f->scope[i].module, lies_in_it[k]) == 0 ? strrchr(f->scope[i].file, '/') : NULL;
            if (slash)
                return strndup(f->scope[i].file, (size_t)(slash + 1 - f->scope[i].file));
        }
    return NULL;
}

int python_functions_of(struct python_functions *f, pid_t pid, uint32_t *version)
{
    struct python_process p;
    struct python_memory memory = {.read = python_process_read, .context = &p};
    *f = (struct python_functions){0};
    int r = python_process_find(&p, pid);
    *version = p.version;
    return r == 0 ? python_functions_read(f, &memory, p.runtime, p.version) : r;
}
