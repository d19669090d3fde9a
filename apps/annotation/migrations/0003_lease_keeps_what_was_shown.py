from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("annotation", "0002_walls")]
    operations = [
        migrations.AddField("lease", "shown", models.JSONField(null=True)),
        migrations.AddIndex(
            "task",
            models.Index(fields=["project", "rank"], condition=Q(state="open", split="holdout"), name="task_holdout_open"),
        ),
        migrations.AddIndex(
            "resolution",
            models.Index(fields=["project"], condition=Q(split="holdout"), name="resolution_holdout"),
        ),
    ]
