/* The packed copy of the optical digits; the form is described in digits.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef HK_DIGITS_H
#define HK_DIGITS_H

enum { HK_DIGITS_TRAIN = 3823, HK_DIGITS_TEST = 1797, HK_DIGITS_TEXT = 45 };

extern const char hk_digits_train[HK_DIGITS_TRAIN][HK_DIGITS_TEXT];
extern const char hk_digits_test[HK_DIGITS_TEST][HK_DIGITS_TEXT];

#endif
