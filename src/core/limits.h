/*
 * limits.h
 *	  What is asked of arguments: to be there, and how long they may be.
 */
#ifndef VOUCH_CORE_LIMITS_H
#define VOUCH_CORE_LIMITS_H

/* Characters of a reason, a note or a comment: it is logged, signed and shown in lists. */
#define VOUCH_TEXT_MAX 10000

/* Raises VO502 when text is longer than that; what names the parameter.  NULL is short enough. */
extern void vouch_check_text(const char *text, const char *what);

/* Raises VO502 when an argument that has to be given is NULL; what names it. */
extern void vouch_check_given(bool isnull, const char *what);

/* The same for names, which are parts of keys as those of items are: so many bytes. */
#define VOUCH_NAME_MAX 1000
extern void vouch_check_name(const char *name, const char *what);

#endif							/* VOUCH_CORE_LIMITS_H */
