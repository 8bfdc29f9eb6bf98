/* The files that the test program itself is made of, with their unwind tables. */
#ifndef TSCAP_TESTS_OWN_IMAGES_H
#define TSCAP_TESTS_OWN_IMAGES_H

#include <criterion/criterion.h>
#include <unistd.h>

#include "image.h"

static struct images images;

static void look(void)
{
    cr_assert_eq(images_read(&images, getpid(), ELF_ALL), 0);
    for (size_t i = 0; i < images.count; i++)
        image_keep_unwind(&images.image[i], getpid());
}

static void forget(void) { images_free(&images); }

#endif
