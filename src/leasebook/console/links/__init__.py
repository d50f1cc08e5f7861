"""The pages behind links in mails, drawn with the console's templates and style sheet."""
