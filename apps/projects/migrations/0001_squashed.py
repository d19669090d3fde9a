import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('projects', '0001_initial'),
        ('projects', '0002_sampling_and_runtime'),
        ('projects', '0003_task_kind_engagement'),
        ('projects', '0004_workbench'),
        ('projects', '0005_merged_labels'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed'),
    ]

    operations = [
        migrations.CreateModel(
            name='Project',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=60, unique=True)),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('task_kind', models.CharField(choices=[('single', 'One label per text'), ('multi', 'Several labels per text'), ('spans', 'Labelled spans in the text'), ('engagement', 'Click-through: will people click?')], default='single', max_length=10, verbose_name='task kind')),
                ('language', models.CharField(default='en', max_length=10, verbose_name='language')),
                ('guidelines', models.TextField(blank=True, verbose_name='guidelines')),
                ('labels_closed', models.BooleanField(default=False, verbose_name='only known labels may be imported')),
                ('encoder', models.CharField(max_length=300, verbose_name='encoder')),
                ('encoder_runtime', models.CharField(choices=[('auto', 'the fastest that gives the same answers here'), ('torch', 'PyTorch'), ('onnx-fp32', 'ONNX Runtime'), ('onnx-int8', 'ONNX Runtime, 8-bit weights')], default='auto', max_length=10, verbose_name='how vectors are computed')),
                ('seed', models.PositiveIntegerField(default=0)),
                ('strategy', models.CharField(default='auto', max_length=30, verbose_name='sampling')),
                ('wanted', models.PositiveSmallIntegerField(default=1, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(20)], verbose_name='people per item')),
                ('random_share', models.FloatField(default=0.15, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)], verbose_name='random share')),
                ('holdout_share', models.FloatField(default=0.2, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)], verbose_name='hold-out share')),
                ('holdout_target', models.PositiveIntegerField(default=400, verbose_name='hold-out items to label')),
                ('holdout_fraction', models.FloatField(default=0.1, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(0.5)], verbose_name='part of new content held out')),
                ('holdout_cap', models.PositiveIntegerField(default=1000, verbose_name='hold-out items at most')),
                ('lease_seconds', models.PositiveIntegerField(default=600, validators=[django.core.validators.MinValueValidator(30)])),
                ('overlap_share', models.FloatField(default=0.0, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)], verbose_name='share of texts that several people label')),
                ('overlap_wanted', models.PositiveSmallIntegerField(default=3, validators=[django.core.validators.MinValueValidator(2), django.core.validators.MaxValueValidator(20)], verbose_name='people for those')),
                ('blind_share', models.FloatField(default=0.0, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)], verbose_name='share without a suggestion, to measure anchoring')),
                ('overlapping', models.BooleanField(default=False, verbose_name='spans may overlap and lie inside one another')),
                ('undecided_reasons', models.JSONField(blank=True, default=list, verbose_name='reasons why somebody cannot decide')),
                ('consensus', models.CharField(choices=[('majority', 'majority'), ('dawid_skene', "Dawid–Skene: everybody's habits are estimated"), ('crowdlab', 'CROWDLAB: people and the model weigh in together')], default='majority', max_length=12, verbose_name='how several answers become one')),
                ('adjudicate_below', models.FloatField(default=0.5, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)], verbose_name='a reviewer decides below this certainty')),
                ('gold_share', models.FloatField(default=0.0, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(0.5)], verbose_name='share of gold items in the queue')),
                ('gold_floor', models.FloatField(default=0.0, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(1)], verbose_name='pause people whose gold accuracy is surely below')),
                ('training_items', models.PositiveSmallIntegerField(default=0, verbose_name='gold items a newcomer begins with')),
                ('ranking_shown', models.BooleanField(default=False, verbose_name='annotators see how they compare')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('archived_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('email', models.EmailField(max_length=254)),
                ('role', models.CharField(choices=[('viewer', 'Viewer'), ('annotator', 'Annotator'), ('reviewer', 'Reviewer'), ('product_manager', 'Product manager'), ('administrator', 'Administrator')], max_length=16)),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('accepted_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
                ('invited_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='projects.project')),
            ],
        ),
        migrations.CreateModel(
            name='Membership',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('viewer', 'Viewer'), ('annotator', 'Annotator'), ('reviewer', 'Reviewer'), ('product_manager', 'Product manager'), ('administrator', 'Administrator')], max_length=16)),
                ('joined_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('paused_at', models.DateTimeField(null=True)),
                ('paused_why', models.CharField(blank=True, max_length=300)),
                ('trained_at', models.DateTimeField(null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to='projects.project')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'user'), name='member_once')],
            },
        ),
        migrations.CreateModel(
            name='Label',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('group', models.CharField(blank=True, max_length=120, verbose_name='group')),
                ('description', models.TextField(blank=True, verbose_name='description')),
                ('examples', models.TextField(blank=True, verbose_name='examples')),
                ('color', models.PositiveSmallIntegerField(default=1, verbose_name='colour')),
                ('hotkey', models.CharField(blank=True, max_length=1, verbose_name='key')),
                ('position', models.PositiveIntegerField(default=0)),
                ('archived_at', models.DateTimeField(null=True)),
                ('merged_into', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='merged', to='projects.label')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='labels', to='projects.project')),
            ],
            options={
                'ordering': ['position', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('project', 'name'), name='label_name_once'), models.UniqueConstraint(condition=models.Q(models.Q(('hotkey', ''), _negated=True), ('archived_at', None)), fields=('project', 'hotkey'), name='label_hotkey_once'), models.CheckConstraint(condition=models.Q(('color__gte', 1), ('color__lte', 12)), name='label_color_1_to_12')],
            },
        ),
    ]
