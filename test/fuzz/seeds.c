/*
 * seeds.c
 *	  Writes the cases of files as seeds for the fuzzer.
 *
 *	seeds directory cases.json ...
 */
#include "asl/port.h"

#include "asl/json.h"

static int	nseeds;

static void
write_seed(const char *directory, char kind, const char *text, const char *input)
{
	FILE	   *file = fopen(asl_printf("%s/%06d", directory, nseeds++), "wb");

	if (file == NULL)
	{
		perror(directory);
		exit(1);
	}
	fputc(kind, file);
	fputs(text, file);
	if (input != NULL)
	{
		fputc(0, file);
		fputs(input, file);
	}
	fclose(file);
}

/* Writes the expressions of a definition. */
static void
write_expressions(const char *directory, const AslValue *value, const char *input)
{
	if (value->type == ASL_ARRAY)
		for (size_t i = 0; i < value->u.array.n; i++)
			write_expressions(directory, value->u.array.items[i], input);
	if (value->type == ASL_OBJECT)
		for (size_t i = 0; i < value->u.object.n; i++)
			write_expressions(directory, value->u.object.members[i].value, input);
	if (value->type == ASL_STRING &&
		(value->u.string.data[0] == '$' || strncmp(value->u.string.data, "States.", 7) == 0))
		write_seed(directory, 'E', value->u.string.data, input);
}

int
main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
	{
		FILE	   *file = fopen(argv[i], "rb");
		const AslValue *cases;
		AslText		text;
		int			c;

		if (file == NULL)
		{
			perror(argv[i]);
			return 1;
		}
		asl_text_init(&text);
		while ((c = fgetc(file)) != EOF)
			asl_text_char(&text, (char) c);
		fclose(file);
		cases = asl_parse(text.data, text.len, NULL);
		if (cases == NULL || cases->type != ASL_ARRAY)
			return 1;
		for (size_t j = 0; j < cases->u.array.n; j++)
		{
			const AslValue *definition = asl_get(cases->u.array.items[j], "definition");
			const AslValue *input = asl_get(cases->u.array.items[j], "input");
			char	   *printed = input == NULL ? "{}" : asl_print(input);

			if (definition == NULL || asl_exceeds(definition, 20000))
				continue;
			write_seed(argv[1], 'D', asl_print(definition), printed);
			write_seed(argv[1], 'J', asl_print(definition), NULL);
			write_expressions(argv[1], definition, printed);
		}
	}
	return 0;
}
