from django.db import migrations, models

# what waits was made under the settings as they are, or under a share that was smaller
FILL = """
UPDATE annotation_arrival a SET overlap_share = p.overlap_share, overlap_wanted = p.overlap_wanted
FROM projects_project p WHERE p.id = a.project_id
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0016_held_out_again"), ("projects", "0004_workbench")]
    operations = [
        migrations.AddField(model_name="arrival", name="overlap_share", field=models.FloatField(default=0.0)),
        migrations.AddField(
            model_name="arrival", name="overlap_wanted", field=models.PositiveSmallIntegerField(default=0)
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
