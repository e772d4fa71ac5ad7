/*
 * limits.h
 *	  How long what people write may be.
 */
#ifndef VOUCH_CORE_LIMITS_H
#define VOUCH_CORE_LIMITS_H

/* Characters of a reason, a note or a comment: it is logged, signed and shown in lists. */
#define VOUCH_TEXT_MAX 10000

/* Raises VO502 when text is longer than that; what names the parameter.  NULL is short enough. */
extern void vouch_check_text(const char *text, const char *what);

#endif							/* VOUCH_CORE_LIMITS_H */
