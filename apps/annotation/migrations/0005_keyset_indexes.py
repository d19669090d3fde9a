import django.db.models.deletion
from django.db import migrations, models


def by_project(model: str) -> migrations.AlterField:
    names = {"task": "tasks", "annotation": "annotations", "resolution": "+"}
    key = models.ForeignKey(
        on_delete=django.db.models.deletion.CASCADE, related_name=names[model], to="projects.project", db_index=False
    )
    return migrations.AlterField(model, "project", key)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0004_arrival_rank")]
    operations = [
        migrations.AddIndex("task", models.Index(fields=["project", "id"], name="task_page")),
        migrations.AddIndex("annotation", models.Index(fields=["project", "id"], name="annotation_page")),
        migrations.AddIndex("resolution", models.Index(fields=["project", "item"], name="resolution_page")),
        by_project("task"),
        by_project("annotation"),
        by_project("resolution"),
    ]
